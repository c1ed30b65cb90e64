"""ApiVersions 0-5: which APIs there are, in which versions (KIP-35, KIP-511, KIP-584, KIP-1242)."""

import re
from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from ....errors import RequestRefused
from ...codes import ApiKey, ErrorCode, VersionRange
from ...state.features import FEATURES
from ...wire.frames import encode_response, response_pieces
from ...wire.messages.cluster import (
    ApiVersion,
    ApiVersionsRequest,
    ApiVersionsResponse,
    FinalizedFeatureKey,
    SupportedFeatureKey,
)
from ..caller import Caller
from ..reading import read

_SOFTWARE: Final = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?")
_SOFTWARE_SINCE: Final = 3
_FEATURES_FROM_ZERO_SINCE: Final = 4
_NODES_SINCE: Final = 5
_NO_NODE: Final = -1
TELEMETRY: Final = (ApiKey.GET_TELEMETRY_SUBSCRIPTIONS, ApiKey.PUSH_TELEMETRY)


class ApiVersionsHandler:
    """Leaves the answer to the table of what the client's broker offers."""

    api_key = ApiKey.API_VERSIONS

    def answer(self, caller: Caller, frame: bytes, at: int, correlation_id: int) -> list[bytes]:
        return caller.offer.table.answer(caller, frame, at, correlation_id)


class ApiVersionsTable:
    """Answers from the registry of handlers, so that nothing is shown that is not served.

    Every client asks as it connects, and gets what the one before it got: an answer is encoded
    once for each version, as long as the features stay as they are.
    """

    def __init__(
        self,
        shown: Mapping[ApiKey, VersionRange],
        features: Mapping[str, tuple[int, int, int]] | None = None,
    ) -> None:
        """`features` are those of an earlier release: least, most and level by name."""
        self._with_telemetry = [_entry(key, versions) for key, versions in shown.items()]
        self._keys = [one for one in self._with_telemetry if one.api_key not in TELEMETRY]
        self._features = [one for one in FEATURES if one.needs is None or one.needs in shown]
        self._levels: dict[str, int] = {}
        self._answers: dict[int, tuple[Mapping[str, int], bool, bytes, bytes]] = {}
        """By version, and what each was made from."""
        if features is not None:
            self._levels = {name: level for name, (_, _, level) in features.items()}
            self._features = [
                replace(one, least=features[one.name][0], most=features[one.name][1])
                for one in self._features
                if one.name in features
            ]

    def answer(self, caller: Caller, frame: bytes, at: int, correlation_id: int) -> list[bytes]:
        version = caller.version
        # Before these the request is empty.
        if version >= _SOFTWARE_SINCE:
            request = read(caller, ApiVersionsRequest, version, frame, at)
            try:
                caller.software = _software(request)
                if version >= _NODES_SINCE:
                    _check_node(caller, request)
            except RequestRefused as refusal:
                code = caller.denied(ApiKey.API_VERSIONS, refusal)
                refused = ApiVersionsResponse(error_code=code, api_keys=[])
                return response_pieces(refused, version, correlation_id)
        features, telemetry = caller.cluster.features, caller.cluster.telemetry.wanted
        answer = self._answers.get(version)
        if answer is None or answer[0] is not features.levels or answer[1] != telemetry:
            encoded = self._encode(version, features.epoch, features.levels, telemetry)
            answer = self._answers[version] = (features.levels, telemetry, *encoded)
        _, _, size, body = answer
        return [size + correlation_id.to_bytes(4, "big", signed=True) + body]

    def _encode(
        self, version: int, epoch: int, in_force: Mapping[str, int], telemetry: bool
    ) -> tuple[bytes, bytes]:
        """The answer in a version: its size as it goes out, and what follows the correlation id.

        `telemetry`: somebody wants clients' own metrics. Kafka shows its APIs where a plugin takes
        them, and clients that see these push without being asked to.
        """
        # KAFKA-17011: clients that speak v3 do not take a feature whose least version is 0.
        least = 0 if version >= _FEATURES_FROM_ZERO_SINCE else 1
        levels = {
            name: min(level, self._levels.get(name, level)) for name, level in in_force.items()
        }
        message = ApiVersionsResponse(
            api_keys=self._with_telemetry if telemetry else self._keys,
            supported_features=[
                SupportedFeatureKey(name=one.name, min_version=one.least, max_version=one.most)
                for one in self._features
                if one.least >= least
            ],
            finalized_features_epoch=epoch,
            finalized_features=[
                FinalizedFeatureKey(
                    name=one.name,
                    max_version_level=levels[one.name],
                    min_version_level=levels[one.name],
                )
                for one in self._features
                if levels[one.name]
            ],
        )
        whole = encode_response(message, version, 0)
        return whole[:4], whole[8:]

    def unsupported(self) -> ApiVersionsResponse:
        """The answer in version 0 to a version that we do not know (KIP-511).

        Kafka shows only ApiVersions' own range here; the whole table serves clients that take the
        list as complete, as franz-go did until 2025.
        """
        return ApiVersionsResponse(error_code=ErrorCode.UNSUPPORTED_VERSION, api_keys=self._keys)


def _software(request: ApiVersionsRequest) -> str:
    """The client's name and version. Raises RequestRefused."""
    name, version = request.client_software_name, request.client_software_version
    if not (_SOFTWARE.fullmatch(name) and _SOFTWARE.fullmatch(version)):
        raise RequestRefused(
            ErrorCode.INVALID_REQUEST,
            f"client software {name!r} {version!r} is not named as KIP-511 says",
        )
    return f"{name} {version}"


def _check_node(caller: Caller, request: ApiVersionsRequest) -> None:
    """KIP-1242: a client says whom it means to reach, and learns that it reached another."""
    cluster_id, node_id = request.cluster_id, request.node_id
    if cluster_id is None and node_id == _NO_NODE:
        return
    if cluster_id is None or node_id == _NO_NODE:
        raise RequestRefused(
            ErrorCode.INVALID_REQUEST, "a cluster id comes with a node id, or neither is given"
        )
    if (cluster_id, node_id) != (caller.cluster.cluster_id, caller.node):
        raise RequestRefused(
            ErrorCode.REBOOTSTRAP_REQUIRED,
            f"the client looks for node {node_id} of cluster {cluster_id}, and this is node"
            f" {caller.node} of cluster {caller.cluster.cluster_id}",
        )


def _entry(key: ApiKey, versions: VersionRange) -> ApiVersion:
    return ApiVersion(api_key=key, min_version=versions.first, max_version=versions.last)


API = ApiVersionsHandler()
