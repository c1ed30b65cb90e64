"""Whose passwords SCRAM can prove (KIP-554)."""

from collections.abc import Sequence

from ...codes import ApiKey
from ..schema import (
    Bytes,
    Int8,
    Int16,
    Int32,
    Message,
    String,
    Struct,
    request,
    response,
    struct,
)


@struct
class UserName(Struct):
    name: String


@request(ApiKey.DESCRIBE_USER_SCRAM_CREDENTIALS, "0", flexible=0)
class DescribeUserScramCredentialsRequest(Message):
    """Without users it asks for all."""

    users: Sequence[UserName] | None


@struct
class CredentialInfo(Struct):
    mechanism: Int8
    iterations: Int32


@struct
class DescribeUserScramCredentialsResult(Struct):
    user: String
    error_code: Int16 = 0
    error_message: String | None = None
    credential_infos: Sequence[CredentialInfo]


@response(ApiKey.DESCRIBE_USER_SCRAM_CREDENTIALS, "0", flexible=0)
class DescribeUserScramCredentialsResponse(Message):
    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: String | None = None
    results: Sequence[DescribeUserScramCredentialsResult]


@struct
class ScramCredentialDeletion(Struct):
    name: String
    mechanism: Int8


@struct
class ScramCredentialUpsertion(Struct):
    name: String
    mechanism: Int8
    iterations: Int32
    salt: Bytes
    salted_password: Bytes


@request(ApiKey.ALTER_USER_SCRAM_CREDENTIALS, "0", flexible=0)
class AlterUserScramCredentialsRequest(Message):
    deletions: Sequence[ScramCredentialDeletion]
    upsertions: Sequence[ScramCredentialUpsertion]


@struct
class AlterUserScramCredentialsResult(Struct):
    user: String
    error_code: Int16 = 0
    error_message: String | None = None


@response(ApiKey.ALTER_USER_SCRAM_CREDENTIALS, "0", flexible=0)
class AlterUserScramCredentialsResponse(Message):
    throttle_time_ms: Int32 = 0
    results: Sequence[AlterUserScramCredentialsResult]
