"""DescribeUserScramCredentials 0: whose passwords SCRAM can prove (KIP-554)."""

from collections import Counter
from functools import partial

from ....errors import RequestRefused
from ....fairness import Stepped
from ...codes import ApiKey, ErrorCode
from ...wire.messages.scram import (
    CredentialInfo,
    DescribeUserScramCredentialsRequest,
    DescribeUserScramCredentialsResponse,
    DescribeUserScramCredentialsResult,
)
from ..caller import Caller
from ..handler import MessageHandler, nothing
from ..stepping import each
from .scram import credential_infos

_API = ApiKey.DESCRIBE_USER_SCRAM_CREDENTIALS


def handle(
    caller: Caller, request: DescribeUserScramCredentialsRequest
) -> Stepped[DescribeUserScramCredentialsResponse]:
    try:
        caller.permit("describe", "cluster")
    except RequestRefused as refusal:
        return DescribeUserScramCredentialsResponse(
            error_code=caller.denied(_API, refusal), error_message=refusal.text, results=[]
        )
    if request.users:
        asked = Counter(one.name for one in request.users)
    else:
        # No users at all are all users, as null is.
        asked = Counter()
        for name, user in tuple(caller.environment.access.users.items()):
            if credential_infos(user):
                asked[name] = 1
            yield
    described = yield from each(partial(_describe, caller), asked.items())
    return DescribeUserScramCredentialsResponse(error_message="", results=described)


def _describe(caller: Caller, asked: tuple[str, int]) -> DescribeUserScramCredentialsResult:
    name, times = asked
    user = caller.environment.access.users.get(name)
    infos = credential_infos(user) if user is not None else []
    try:
        if times > 1:
            raise RequestRefused(
                ErrorCode.DUPLICATE_RESOURCE,
                "Cannot describe SCRAM credentials for the same user twice in a single request:"
                f" {name}",
            )
        if not infos:
            raise RequestRefused(
                ErrorCode.RESOURCE_NOT_FOUND,
                f"Attempt to describe a user credential that does not exist: {name}",
            )
    except RequestRefused as refusal:
        code = caller.denied(_API, refusal)
        return DescribeUserScramCredentialsResult(
            user=name, error_code=code, error_message=refusal.text, credential_infos=[]
        )
    return DescribeUserScramCredentialsResult(
        user=name,
        error_message="",
        credential_infos=[
            CredentialInfo(mechanism=mechanism, iterations=iterations)
            for mechanism, iterations in infos
        ],
    )


API = MessageHandler(DescribeUserScramCredentialsRequest, handle, changes=nothing)
