"""Which headers a publication has: those that come in turn, and what others differ in from them."""

from ..channel.publication import LONGEST_BUILD, MOST_BUILDS, MOST_VARIANTS, Known, Publication
from ..wire.frames import HEAD_SIZE, OVERHEAD
from ..wire.likeness import build_of, builds, read_values, varying


def keep_variant(publication: Publication, header: bytes) -> None:
    """Keep what is known now, unless too much was learned already."""
    publication.learned += 1
    if publication.learned > MOST_VARIANTS:
        # An id of its own in each: to look among them would cost more than to look at each.
        publication.variants.clear()
    else:
        publication.variants[header] = publication.latest


def liken(publication: Publication, before: Known, header: bytes, flags: int) -> None:
    """One header differs from the one before: know all that differ no more than these two do."""
    latest, start = publication.latest, publication.size
    # Of one that has such a place already nothing more is kept: it is another that differs now.
    other = b"" if before.rest else before.begin[start : start + len(header)]
    place = varying(header, other, flags)
    if place is not None:
        free, end = start + place[0], start + place[1]
        publication.latest = latest._replace(
            begin=latest.begin[:free], rest=latest.begin[end:], rest_at=end
        )
    elif (
        len(publication.builds) < MOST_BUILDS
        and len(header) <= LONGEST_BUILD
        and _comes_again(publication, header)
    ):
        publication.builds = (*publication.builds, build_of(header, flags))
        publication.alike = builds(header[1:3], publication.builds)


def _comes_again(publication: Publication, header: bytes) -> bool:
    """Whether what is read of a header was the same in another one that is kept.

    A pattern has these values as they are: of a header with a trace of its own (`traceparent`) it
    would match nothing that ever comes.
    """
    values = read_values(header)
    return any(
        read_values(each) == values for each in reversed(publication.variants) if each != header
    )


def recall(publication: Publication, data: bytes, at: int) -> bool:
    """Whether a message begins as one of the few that were learned before; then it is the known."""
    start = at + publication.size
    size = int.from_bytes(data[start + 3 : start + HEAD_SIZE], "big")
    found = publication.variants.get(data[start : start + size + OVERHEAD])
    # The header is the same; the body frame's head behind it has to be so too.
    if found is None or not data.startswith(found.begin, at):
        return False
    publication.latest = found
    return True
