"""ApiVersions 0-4: which APIs there are, in which versions (KIP-35, KIP-511, KIP-584)."""

import re
from collections.abc import Mapping
from typing import Final

from ....errors import RequestRefused
from ...codes import ApiKey, ErrorCode, VersionRange
from ...wire.messages.cluster import ApiVersion, ApiVersionsRequest, ApiVersionsResponse
from ..caller import Caller

_SOFTWARE: Final = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?")


class ApiVersionsTable:
    """Answers from the registry of handlers, so that nothing is shown that is not served."""

    def __init__(self, shown: Mapping[ApiKey, VersionRange]) -> None:
        self._keys = [_entry(key, versions) for key, versions in shown.items()]

    def handle(self, caller: Caller, request: ApiVersionsRequest) -> ApiVersionsResponse:
        if caller.version >= 3:
            name, version = request.client_software_name, request.client_software_version
            if not (_SOFTWARE.fullmatch(name) and _SOFTWARE.fullmatch(version)):
                refusal = RequestRefused(
                    ErrorCode.INVALID_REQUEST,
                    f"client software {name!r} {version!r} is not named as KIP-511 says",
                )
                code = caller.denied(ApiKey.API_VERSIONS, refusal)
                return ApiVersionsResponse(error_code=code, api_keys=[])
            caller.software = f"{name} {version}"
        # No features: transactions, KIP-848 and share groups are not served, and clients see so.
        return ApiVersionsResponse(api_keys=self._keys)

    def unsupported(self) -> ApiVersionsResponse:
        """The answer in version 0 to a version that we do not know (KIP-511).

        Kafka shows only ApiVersions' own range here; the whole table serves clients that take the
        list as complete, as franz-go did until 2025.
        """
        return ApiVersionsResponse(error_code=ErrorCode.UNSUPPORTED_VERSION, api_keys=self._keys)


def _entry(key: ApiKey, versions: VersionRange) -> ApiVersion:
    return ApiVersion(api_key=key, min_version=versions.first, max_version=versions.last)
