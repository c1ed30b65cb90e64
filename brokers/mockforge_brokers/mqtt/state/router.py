"""The one entrance of messages: from a topic name to everybody who is to get it."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Final

from ...environment import Environment
from ...events import MessageSeen
from ...fairness import Steps
from ..events import Subscribed, Unsubscribed
from ..records import Message
from .expiries import Expiries
from .keeper import FORGETFUL, Keeper
from .retained import TOO_LARGE, TOO_MANY
from .routes import MET, Recipient, Route, Watcher, recipients_of
from .session import OWN, Session, may_read
from .sink import Sink
from .subscriptions import Share, Subscription, SubscriptionTrie
from .topics import SHARE, matches, overlap, weight_of
from .verbatim import Likeness, TopicCounts, Verbatim

MOST_ROUTES: Final = 10_000
"""Topics whose route is remembered, and topics that are counted each by itself."""
MOST_OF_NAMES: Final = 16 * 1024 * 1024
"""Characters of the names of either: one may have 64 KB."""
_A_STEP: Final = 16
"""Retained messages that are sent in one step."""

Variants = dict[tuple[int, bool, tuple[int, ...]], Message]


class Router:
    """Subscriptions, retained messages and the routes that follow from them."""

    def __init__(
        self,
        environment: Environment,
        *,
        maximum_qos: int = 2,
        shared_order: str = "turns",
        ingest_prefix: str = "",
        redelivers_shares: bool = True,
        keeper: Keeper = FORGETFUL,
    ) -> None:
        self.keeper = keeper
        self.retained = keeper.make_retained(environment.limits)
        self._expiries = Expiries(self.retained, environment)
        self._shared_order = shared_order
        self._ingest_prefix = ingest_prefix
        self.redelivers_shares = redelivers_shares
        self.subscriptions = SubscriptionTrie(shared_order, environment.random)
        self.topics: dict[str, TopicCounts] = {}
        self.other_topics = TopicCounts(None)
        self.system_topics: Callable[[str], Iterable[Message | None]] = lambda topic_filter: []
        """What a new subscriber of a filter gets of the topics that are not stored; None is a step
        without a message."""
        self._environment = environment
        self._maximum_qos = maximum_qos
        self._counted_names = 0
        """Characters of the names in `topics`."""
        self._routes: dict[str, Route] = {}
        self._routed_names = 0
        self._verbatim: dict[tuple[int, bool], dict[bytes, Verbatim]] = {}
        self._sinks: dict[tuple[Sink, ...], tuple[Sink, ...]] = {}
        """Those of verbatim routes, each once."""
        self.moment = 0
        """Another one whenever something changed that routes depend on."""
        self._parent = ""
        self._parent_at = -1
        self._parent_read = False
        """Whether at that moment somebody took something right below that topic."""
        self.alike: set[Likeness] = set()
        """What next publishes are compared with: it knows routes, and forgets them with us."""
        self._watchers: dict[int, tuple[str | None, Watcher]] = {}
        self._last_watcher = 0
        environment.usage.gauge(TOO_MANY, lambda: self.retained.weight)
        environment.usage.gauge("mqtt_subscriptions", lambda: self.subscriptions.weight)
        environment.usage.gauge(TOO_LARGE, lambda: self.retained.bytes)

    def publish(self, message: Message, publisher: Session | None = None, client: str = "") -> int:
        """Hand a message to all who subscribed; returns how many sessions got it or keep it.

        Its topic name must be a legal one; `client` names the publisher for watchers.
        """
        route = self._routes.get(message.topic_name) or self._find(message.topic_name)
        route.counts.published += 1
        if message.retain:
            self.retain(message)
        if route.watchers:
            self._show(route.watchers, message, client)
        reached = 0
        variants: Variants = {}
        for recipient in route.recipients:
            taker = recipient if recipient.session is not publisher else recipient.own
            if taker is None:
                recipient.session.leave_out(OWN)
            elif self._deliver(taker, message, variants):
                reached += 1
        for share in route.shares:
            chosen = share.choose(message.topic_name, self.moment)
            if chosen is None:
                continue
            session, subscription = chosen
            reached += self._deliver(Recipient(session, [subscription]), message, variants)
        route.counts.delivered += reached
        return reached

    def is_for_nobody(self, topic_name: str) -> bool:
        """Whether nobody takes what is published to a topic, which does not begin with $.

        A route for each of 100,000 topics would be made for nothing, and the routes of others be
        forgotten for them: what reaches none of those with the same parent needs none.
        """
        place = topic_name.rfind("/") + 1
        if self._parent_at != self.moment or topic_name[:place] != self._parent:
            self._parent, self._parent_at = topic_name[:place], self.moment
            self._parent_read = self._may_take_below(self._parent)
        if not self._parent_read:
            return True
        route = self._routes.get(topic_name) or self._find(topic_name)
        return not (route.recipients or route.shares or route.watchers)

    def _may_take_below(self, parent: str) -> bool:
        """Whether anybody may take what is published right below a topic, given with its slash."""
        for topic_filter, _ in self._watchers.values():
            if topic_filter is None or overlap(topic_filter, parent + "+"):
                return True
        return self.subscriptions.reaches_below(parent)

    def highest_qos(self, topic_name: str) -> int:
        """That somebody subscribed to a topic with; 0 where nobody did."""
        route = self._routes.get(topic_name) or self._find(topic_name)
        found = [recipient.qos for recipient in route.recipients]
        for share in route.shares:
            found += [one.qos for one in share.members.values()]
        return max(found, default=0)

    def has_takers(self, topic_name: str, publisher: Session) -> bool:
        """Whether a rule of the server takes it, or anybody else subscribed to this, or the
        publisher itself without No Local."""
        if self._goes_to_rules(topic_name):
            return True
        route = self._routes.get(topic_name) or self._find(topic_name)
        if not route.recipients:
            return bool(route.shares)
        return bool(route.shares) or any(
            recipient.session is not publisher or recipient.own is not None
            for recipient in route.recipients
        )

    @staticmethod
    def _deliver(taker: Recipient, message: Message, variants: Variants) -> bool:
        qos = message.qos if message.qos < taker.qos else taker.qos
        retain = message.retain and taker.retain_as_published
        identifiers = taker.identifiers
        if qos != message.qos or retain != message.retain or identifiers:
            # Those who get the same get the same object, so that it is rendered once for them.
            key = (qos, retain, identifiers)
            made = variants.get(key)
            if made is None:
                made = variants[key] = message.variant(qos, retain, identifiers)
            message = made
        return taker.session.deliver(message)

    def retain(self, message: Message) -> None:
        """Keep a message for who subscribes later, or report the limit that does not let it."""
        # An empty payload forgets the topic's message and is kept by nobody [MQTT-3.3.1-6, -7].
        if not message.payload:
            self.clear_retained(message.topic_name)
        elif met := self.retained.store(message):
            self._environment.usage.met(
                "mqtt",
                met,
                "retained messages",
                "messages not retained: {lost:,}, the last to {last}",
                last=message.topic_name,
            )
            self._expiries.forget(message.topic_name)
        elif message.expires is not None:
            self._expiries.note(message.topic_name, message.expires)
        else:
            self._expiries.forget(message.topic_name)

    def clear_retained(self, topic_name: str) -> bool:
        """Forget a topic's retained message; False when there was none."""
        self._expiries.forget(topic_name)
        return self.retained.remove(topic_name)

    def subscribe(self, session: Session, subscription: Subscription) -> bool:
        """Add or replace; True when the session had none of this filter."""
        new = self.readmit(session, subscription)
        session.changed()
        self._environment.spine.emit(
            Subscribed("mqtt", session.client_id, subscription.topic_filter, subscription.qos)
        )
        return new

    def limit_met(self, session: Session, topic_filter: str) -> str:
        """The limit that does not let a session subscribe to it as well, counted, or "".

        One that it has it may have in another way.
        """
        if topic_filter in session.subscriptions:
            return ""
        environment, weight = self._environment, weight_of(topic_filter)
        if session.subscribed + weight > environment.limits.mqtt_session_subscriptions:
            met = "mqtt_session_subscriptions"
        elif self.subscriptions.weight + weight > environment.limits.mqtt_subscriptions:
            met = "mqtt_subscriptions"
        else:
            return ""
        environment.usage.count(met)
        return met

    def readmit(self, session: Session, subscription: Subscription) -> bool:
        """As `subscribe` for one that was made before a restart: nothing is reported."""
        session.subscriptions[subscription.topic_filter] = subscription
        new = self.subscriptions.add(session, subscription)
        if new:
            session.subscribed += weight_of(subscription.topic_filter)
        self.forget_routes()
        return new

    def unsubscribe(self, session: Session, topic_filter: str) -> bool:
        """Remove; False when the session had no such subscription."""
        if session.subscriptions.pop(topic_filter, None) is None:
            return False
        session.subscribed -= weight_of(topic_filter)
        self.subscriptions.remove(session, topic_filter)
        session.changed()
        self.forget_routes()
        self._environment.spine.emit(Unsubscribed("mqtt", session.client_id, topic_filter))
        return True

    def forget(self, session: Session) -> None:
        """Take out all that a session subscribed to; it has ended."""
        if session.subscriptions:
            topic_filters = tuple(session.subscriptions)
            session.subscriptions = {}
            session.subscribed = 0
            self._environment.chores.do(self._forgetting(session, topic_filters))

    def _forgetting(self, session: Session, topic_filters: tuple[str, ...]) -> Steps:
        # Other routes pass over a session that has ended; a share would give it its turn.
        self.forget_routes()
        for topic_filter in topic_filters:
            if topic_filter.startswith(SHARE):
                self.subscriptions.remove(session, topic_filter)
        for topic_filter in topic_filters:
            self.subscriptions.remove(session, topic_filter)
            yield
        self.forget_routes()

    def redeliver(self, left: Iterable[tuple[str, Message]]) -> int:
        """Give what a session left behind of a share to its other members; returns how many of
        the messages one took."""
        now = self._environment.clock.now()
        taken = 0
        for topic_filter, message in left:
            share = self.subscriptions.shares.get(topic_filter)
            if share is None or (message.expires is not None and message.expires <= now):
                continue
            chosen = share.choose(message.topic_name, self.moment)
            if chosen is None or chosen[0].ended:
                # Who has ended is the last one, and on its way out.
                continue
            session, subscription = chosen
            identifiers = (subscription.identifier,) if subscription.identifier else ()
            qos = min(message.qos, subscription.qos)
            retain = message.retain and subscription.retain_as_published
            taken += session.deliver(message.variant(qos, retain, identifiers))
        return taken

    def may_have_retained(self, topic_filter: str) -> bool:
        """Whether to look what is retained for a new subscription; never for shares [MQTT-3.8.4-4].

        Where nothing begins as the filter does, as in a broker that retains nothing, it is not
        worth the steps.
        """
        if topic_filter.startswith("$"):
            # Topics of the broker itself are not among the retained messages.
            return not topic_filter.startswith(SHARE)
        return self.retained.begins(topic_filter)

    def sending_retained(self, session: Session, subscription: Subscription) -> Steps:
        """The steps that give a new subscriber what is retained.

        They end where the session loses its connection.
        """
        now = self._environment.clock.now()
        sink = session.sink
        identifiers = (subscription.identifier,) if subscription.identifier else ()
        topic_filter = subscription.topic_filter
        messages = chain(self.retained.match(topic_filter, now), self._of_system(topic_filter))
        # Small messages cost less than to be asked whether there is time for more; to count those
        # of the broker itself costs more.
        step = 1 if topic_filter.startswith("$") else _A_STEP
        for number, message in enumerate(messages):
            if message is not None and may_read(session, message.topic_name):
                qos = min(message.qos, subscription.qos)
                session.deliver(message.variant(qos, True, identifiers))
            if number % step and not (sink is not None and sink.bulky):
                continue
            yield
            if session.sink is not sink:
                return

    def _of_system(self, topic_filter: str) -> Iterator[Message | None]:
        yield from self.system_topics(topic_filter)

    def set_ready(self, session: Session, ready: bool) -> None:
        """A session's peer takes bytes again, or no longer."""
        session.ready, session.slow = ready, not ready
        self.forget_routes()
        if ready:
            session.pump()

    def watch(self, callback: Watcher, topic_filter: str | None) -> Callable[[], None]:
        """Show each message of a topic filter (None: all) to `callback`; returns how to stop."""
        self._last_watcher = number = self._last_watcher + 1
        self._watchers[number] = (topic_filter, callback)
        self.forget_routes()

        def stop() -> None:
            self._watchers.pop(number, None)
            self.forget_routes()

        return stop

    def overflowed(self, session: Session, limit: str) -> None:
        """A session loses a message, since as much waits for it as may."""
        self._environment.usage.met(
            "mqtt", limit, f"session {session.client_id}", "messages to it dropped: {lost:,}"
        )

    def reset(self) -> None:
        """Forget retained messages, subscriptions and counters; watchers stay."""
        self.retained.clear()
        self._expiries.clear()
        self.subscriptions = SubscriptionTrie(self._shared_order, self._environment.random)
        self.topics.clear()
        self._counted_names = 0
        self.other_topics = TopicCounts(None)
        self.forget_routes()

    # Routes.

    def verbatim(self, dialect: int, odd: bool = False) -> dict[bytes, Verbatim]:
        """By raw topic name: routes that take this dialect's packets as they are. Live.

        Those of `odd` topics are for who asks for them too.
        """
        return self._verbatim.setdefault((dialect, odd), {})

    def learn(self, dialect: int, topic_name: str, odd: bool = False) -> None:
        """After a plain publish: remember a verbatim route for the next, if there is one."""
        route = self._routes.get(topic_name)
        if route is None or route.tried & 1 << dialect:
            return
        # Many topics that nobody takes are published to once. What is counted may be of others too.
        if not route.recipients and not route.tried & MET:
            route.tried |= MET
            return
        # Whatever could change the answer forgets the route, and this mark with it.
        route.tried |= 1 << dialect
        if route.watchers or route.shares or self._goes_to_rules(topic_name):
            return
        takers: list[tuple[Session, Sink, int]] = []
        for recipient in route.recipients:
            session = recipient.session
            sink = session.sink
            if sink is None or not session.ready or sink.dialect != dialect:
                return
            # Identifiers stand in the packet itself, and No Local asks who published it.
            if recipient.identifiers or recipient.own is not recipient:
                return
            takers.append((session, sink, recipient.qos))
        sinks = tuple(sink for _, sink, _ in takers)
        found = Verbatim(route.counts, topic_name, self._sinks.setdefault(sinks, sinks))
        found.as_published = any(each.retain_as_published for each in route.recipients)
        if not self.keeper.failing:
            found.grant(takers, self._maximum_qos)
        raw = topic_name.encode()
        self.verbatim(dialect, True)[raw] = found
        if not odd:
            self.verbatim(dialect)[raw] = found

    def forget_routes(self) -> None:
        """Something changed that routes depend on."""
        self.moment += 1
        if self.alike:
            for like in self.alike:
                like.forget()
            self.alike.clear()
        if self._routes:
            self._routes.clear()
            self._routed_names = 0
            self._sinks.clear()
            for routes in self._verbatim.values():
                routes.clear()

    def _find(self, topic_name: str) -> Route:
        # A topic for each device and day would pile up; a route is found anew when needed.
        self._routed_names += len(topic_name)
        if len(self._routes) >= MOST_ROUTES or self._routed_names > MOST_OF_NAMES:
            self.forget_routes()
            self._routed_names = len(topic_name)
        found, shares = (
            ([], None) if self._goes_to_rules(topic_name) else self.subscriptions.match(topic_name)
        )
        # A route to nobody holds nothing that the garbage collector has to walk: there is one for
        # each topic that a device retains.
        recipients = recipients_of(found, topic_name) if found else ()
        watchers: tuple[Watcher, ...] = ()
        if self._watchers:
            watchers = tuple(
                callback
                for topic_filter, callback in self._watchers.values()
                if topic_filter is None or matches(topic_filter, topic_name)
            )
        if shares:
            shares = [share for share in shares if _some_may_read(share, topic_name)]
        route = Route(self.count(topic_name), recipients, shares or (), watchers)
        self._routes[topic_name] = route
        return route

    def _goes_to_rules(self, topic_name: str) -> bool:
        prefix = self._ingest_prefix
        return prefix != "" and topic_name.startswith(prefix)

    def count(self, topic_name: str) -> TopicCounts:
        """The counters of a topic, or those of all others when there are too many."""
        counts = self.topics.get(topic_name)
        if counts is None:
            names = self._counted_names + len(topic_name)
            if len(self.topics) >= MOST_ROUTES or names > MOST_OF_NAMES:
                return self.other_topics
            self._counted_names = names
            counts = self.topics[topic_name] = TopicCounts(topic_name)
        return counts

    def _show(self, watchers: tuple[Watcher, ...], message: Message, client: str) -> None:
        seen = MessageSeen(
            "mqtt",
            self._environment.clock.wall(),
            message.topic_name,
            None,
            bytes(message.payload),
            tuple(message.properties.get("user_property", ())),
            client,
            {"qos": message.qos, "retain": message.retain, **message.properties},
        )
        for watcher in watchers:
            watcher(seen)


def _some_may_read(share: Share, topic_name: str) -> bool:
    return any(may_read(session, topic_name) for session in share.members)
