"""AlterUserScramCredentials 0: users come and go by what SCRAM keeps of a password (KIP-554).

They are the users that `user add` has: one that is new here may log in to Kafka by SCRAM alone.
"""

from functools import partial
from typing import Final

from ....access import Credentials, check_user_name
from ....errors import InvalidInput, RequestRefused
from ....fairness import Stepped
from ....scram import HASHES, ITERATIONS, salted_credentials
from ...codes import ApiKey, ErrorCode
from ...wire.messages.scram import (
    AlterUserScramCredentialsRequest,
    AlterUserScramCredentialsResponse,
    AlterUserScramCredentialsResult,
    ScramCredentialDeletion,
    ScramCredentialUpsertion,
)
from ..caller import Caller
from ..handler import MessageHandler
from ..stepping import LIGHT, each
from .scram import MECHANISMS, credential_infos, has

_MOST_ITERATIONS: Final = 16_384

Change = ScramCredentialDeletion | ScramCredentialUpsertion


def handle(
    caller: Caller, request: AlterUserScramCredentialsRequest
) -> Stepped[AlterUserScramCredentialsResponse]:
    refused: dict[str, RequestRefused | None] = {}
    changes: list[Change] = [*request.deletions, *request.upsertions]
    for change in changes:
        if refused.get(change.name) is None:
            twice = change.name in refused
            refused[change.name] = _problem(caller, change, twice=twice)
        yield
    made: list[tuple[Change, Credentials | None]] = []
    for change in changes:
        if refused[change.name] is None:
            made.append((change, _credentials(change)))
        yield
    # In one step: nobody sees half of them.
    for change, credentials in made:
        # Others had their turn meanwhile, and may have taken away what this is about.
        refused[change.name] = _absent(caller, change)
        if refused[change.name] is None:
            _apply(caller, change, credentials)
    results = yield from each(partial(_result, caller), refused.items(), at_a_time=LIGHT)
    return AlterUserScramCredentialsResponse(results=results)


def _problem(caller: Caller, change: Change, *, twice: bool) -> RequestRefused | None:
    """Why a change is not made, in the words of Apache Kafka."""
    try:
        caller.permit("alter", "cluster")
    except RequestRefused as refusal:
        return refusal
    if not change.name:
        code, text = ErrorCode.UNACCEPTABLE_CREDENTIAL, "Username must not be empty"
    elif change.mechanism not in MECHANISMS:
        code, text = ErrorCode.UNSUPPORTED_SASL_MECHANISM, "Unknown SCRAM mechanism"
    elif twice:
        code = ErrorCode.DUPLICATE_RESOURCE
        text = "A user credential cannot be altered twice in the same request"
    elif isinstance(change, ScramCredentialDeletion):
        return _absent(caller, change)
    else:
        return _unacceptable(change)
    return RequestRefused(code, text)


def _absent(caller: Caller, change: Change) -> RequestRefused | None:
    """Why what is to be deleted is not."""
    if isinstance(change, ScramCredentialUpsertion) or has(
        caller.environment.access, change.name, change.mechanism
    ):
        return None
    text = "Attempt to delete a user credential that does not exist"
    return RequestRefused(ErrorCode.RESOURCE_NOT_FOUND, text)


def _unacceptable(new: ScramCredentialUpsertion) -> RequestRefused | None:
    try:
        # Kafka takes any name: here rules have a meaning for some.
        check_user_name(new.name)
    except InvalidInput as error:
        return RequestRefused(ErrorCode.UNACCEPTABLE_CREDENTIAL, str(error))
    if not new.salted_password:
        # Java makes no key of it, and Kafka says no more than that it failed.
        return RequestRefused(ErrorCode.UNKNOWN_SERVER_ERROR, "the salted password is empty")
    if not ITERATIONS <= new.iterations <= _MOST_ITERATIONS:
        few = "few" if new.iterations < ITERATIONS else "many"
        return RequestRefused(ErrorCode.UNACCEPTABLE_CREDENTIAL, f"Too {few} iterations")
    return None


def _credentials(change: Change) -> Credentials | None:
    """What is kept of a password; None of one that is deleted."""
    if isinstance(change, ScramCredentialDeletion):
        return None
    return salted_credentials(
        bytes(change.salted_password),
        HASHES[MECHANISMS[change.mechanism]],
        bytes(change.salt),
        change.iterations,
    )


def _apply(caller: Caller, change: Change, credentials: Credentials | None) -> None:
    access = caller.environment.access
    mechanism = MECHANISMS[change.mechanism]
    if credentials is not None:
        user = access.users.get(change.name) or access.add_user(change.name, None, ("kafka",))
        user.protocols |= {"kafka"}
        user.scram[mechanism] = credentials
        access.kept_changed()
        return
    user = access.users[change.name]
    user.scram[mechanism] = None
    access.kept_changed()
    if user.secretless and not credential_infos(user):
        access.remove_user(change.name)


def _result(
    caller: Caller, of: tuple[str, RequestRefused | None]
) -> AlterUserScramCredentialsResult:
    name, refusal = of
    if refusal is None:
        return AlterUserScramCredentialsResult(user=name)
    code = caller.denied(ApiKey.ALTER_USER_SCRAM_CREDENTIALS, refusal)
    text = refusal.text if code != ErrorCode.UNKNOWN_SERVER_ERROR else None
    return AlterUserScramCredentialsResult(user=name, error_code=code, error_message=text)


API = MessageHandler(AlterUserScramCredentialsRequest, handle)
