"""Which topic names and filters are legal, and which names a filter matches."""

from typing import Final

SHARE: Final = "$share/"
_USUAL_LEVELS: Final = 16


def name_problem(topic_name: str) -> str:
    """Why nothing can be published to `topic_name`; "" when it can."""
    if not topic_name:
        return "a topic name has at least one character [MQTT-4.7.3-1]"
    if "+" in topic_name or "#" in topic_name:
        return f"topic name {topic_name!r} has a wildcard in it [MQTT-3.3.2-2]"
    if "\0" in topic_name:
        return "a topic name has no U+0000 [MQTT-4.7.3-2]"
    return ""


def filter_problem(topic_filter: str) -> str:
    """Why nobody can subscribe to `topic_filter`; "" when one can."""
    if topic_filter.startswith(SHARE):
        name, _, topic_filter = topic_filter.removeprefix(SHARE).partition("/")
        if not name or "+" in name or "#" in name:
            return f"share name {name!r} must be one or more characters but + # / [MQTT-4.8.2-1]"
    if not topic_filter:
        return "a topic filter has at least one character [MQTT-4.7.3-1]"
    levels = topic_filter.split("/")
    for place, level in enumerate(levels):
        if "#" in level and (level != "#" or place != len(levels) - 1):
            return f"{topic_filter!r}: # is only legal as the whole last level [MQTT-4.7.1-1]"
        if "+" in level and level != "+":
            return f"{topic_filter!r}: + is only legal as a whole level [MQTT-4.7.1-2]"
    return ""


def weight_of(topic: str) -> int:
    """What a name or filter counts for where they are bounded in number.

    One, and one for each level behind the sixteenth: a tree has a node for each, of up to 65,536.
    """
    return 1 + max(0, topic.count("/") + 1 - _USUAL_LEVELS)


def split_share(topic_filter: str) -> tuple[str, str]:
    """The share's name ("" when there is none) and the filter that is matched."""
    if not topic_filter.startswith(SHARE):
        return "", topic_filter
    name, _, rest = topic_filter.removeprefix(SHARE).partition("/")
    return name, rest


def matches(topic_filter: str, topic_name: str) -> bool:
    """Whether a name matches a filter; wildcards in front never match `$` [MQTT-4.7.2-1]."""
    wanted, levels = topic_filter.split("/"), topic_name.split("/")
    if wanted[0] in ("+", "#") and topic_name.startswith("$"):
        return False
    if wanted[-1] == "#":
        wanted.pop()
        # `a/#` matches `a` as well (4.7.1.2).
        levels = levels[: len(wanted)]
    return len(wanted) == len(levels) and all(
        level in ("+", name) for level, name in zip(wanted, levels, strict=True)
    )


def overlap(one: str, other: str) -> bool:
    """Whether some topic name matches both filters."""
    left, right = one.split("/"), other.split("/")
    for wild, name in ((left[0], right[0]), (right[0], left[0])):
        if wild in ("+", "#") and name.startswith("$"):
            return False
    for mine, theirs in zip(left, right, strict=False):
        if "#" in (mine, theirs):
            return True
        if mine != theirs and "+" not in (mine, theirs):
            return False
    # `a/#` matches `a` as well (4.7.1.2).
    longer, shorter = (left, right) if len(left) > len(right) else (right, left)
    return len(longer) == len(shorter) or longer[len(shorter) :] == ["#"]


def covers(pattern: str, topic_filter: str) -> bool:
    """Whether `pattern` matches every topic name that `topic_filter` matches."""
    wide, narrow = pattern.split("/"), topic_filter.split("/")
    if wide[0] in ("+", "#") and topic_filter.startswith("$"):
        return False
    if wide[-1] == "#":
        wide.pop()
        if narrow[-1] == "#" and len(narrow) - 1 < len(wide):
            return False
        narrow = narrow[: len(wide)]
    return len(wide) == len(narrow) and all(
        level == own or (level == "+" and own != "#")
        for level, own in zip(wide, narrow, strict=True)
    )
