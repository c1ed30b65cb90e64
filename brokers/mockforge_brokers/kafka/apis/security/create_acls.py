"""CreateAcls 1-3 (KIP-140)."""

from functools import partial
from typing import NoReturn

from ....errors import RequestRefused
from ....fairness import Stepped
from ....permissions import CLUSTER
from ...acls import Acl, create, operation_of
from ...codes import ApiKey, ErrorCode, PatternType
from ...wire.messages.acls import (
    AclCreation,
    AclCreationResult,
    CreateAclsRequest,
    CreateAclsResponse,
)
from ..caller import Caller
from ..handler import MessageHandler
from ..stepping import LIGHT, each
from .acls import check, check_known, denied, kind_of

_ANY = 1
_DENY, _ALLOW = 2, 3


def handle(caller: Caller, request: CreateAclsRequest) -> Stepped[CreateAclsResponse]:
    yield from each(_check, request.creations, at_a_time=LIGHT)
    try:
        # Once for all: one of them may take back the right to make them.
        check(caller, "alter", "No Authorizer is configured.")
    except RequestRefused as refusal:
        return CreateAclsResponse(results=[_refused(caller, refusal) for _ in request.creations])
    wanted: list[Acl] = []
    taken = partial(_taken, caller, wanted)
    results = yield from each(taken, request.creations, at_a_time=LIGHT)
    yield from create(caller.environment.access, wanted)
    return CreateAclsResponse(results=results)


def _check(one: AclCreation) -> None:
    check_known(one.resource_type, one.resource_pattern_type, one.operation, one.permission_type)


def _taken(caller: Caller, wanted: list[Acl], one: AclCreation) -> AclCreationResult:
    """Adds it to what is wanted unless it is refused."""
    try:
        wanted.append(_acl(one))
    except RequestRefused as refusal:
        return _refused(caller, refusal)
    return AclCreationResult(error_message="")


def _refused(caller: Caller, refusal: RequestRefused) -> AclCreationResult:
    code, text = denied(caller, ApiKey.CREATE_ACLS, refusal)
    return AclCreationResult(error_code=code, error_message=text)


def _acl(wanted: AclCreation) -> Acl:
    """Raises RequestRefused with the words of Apache Kafka."""
    kind, operation = kind_of(wanted.resource_type), operation_of(wanted.operation)
    pattern_type, permission = wanted.resource_pattern_type, wanted.permission_type
    if _ANY in (wanted.resource_type, wanted.operation, permission) or pattern_type in (
        PatternType.ANY,
        PatternType.MATCH,
    ):
        # What only a filter may say; Kafka fails without a word.
        raise RequestRefused(ErrorCode.UNKNOWN_SERVER_ERROR, "an ACL is about one kind of thing")
    if kind == "cluster" and wanted.resource_name != CLUSTER:
        _refuse(f"The only valid name for the CLUSTER resource is {CLUSTER}")
    if not wanted.resource_name:
        _refuse("Invalid empty resource name")
    if kind is None:
        _refuse("Invalid resourceType UNKNOWN")
    if pattern_type not in (PatternType.LITERAL, PatternType.PREFIXED):
        _refuse("Invalid patternType UNKNOWN")
    if operation is None:
        _refuse("Invalid operation UNKNOWN")
    if permission not in (_DENY, _ALLOW):
        _refuse("Invalid permissionType UNKNOWN")
    if not wanted.host:
        _refuse("Host pattern cannot be null or empty")
    if ":" not in wanted.principal:
        _refuse(
            f"Could not parse principal from `{wanted.principal}` (no colon is present separating"
            " the principal type from the principal name)"
        )
    return Acl(
        kind,
        wanted.resource_name,
        PatternType(pattern_type).name.lower(),
        wanted.principal,
        wanted.host,
        operation,
        permission == _ALLOW,
    )


def _refuse(text: str) -> NoReturn:
    raise RequestRefused(ErrorCode.INVALID_REQUEST, text)


API = MessageHandler(CreateAclsRequest, handle)
