// cc -lpaho-mqtt3cs
/* paho.mqtt.c: its synchronous client, MQTT 3.1.1 and 5, over TCP, TLS and WebSocket. */
#include <MQTTClient.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char why[300];
static const char *run_name;
static int seconds = 30;

static int failed(const char *form, ...) {
    va_list more;
    va_start(more, form);
    vsnprintf(why, sizeof why, form, more);
    va_end(more);
    return 0;
}

static const char *named(const char *name) {
    static char texts[8][200];
    static int next;
    char *text = texts[next++ % 8];
    snprintf(text, sizeof texts[0], "%s/c/%s", run_name, name);
    return text;
}

struct wish {
    int version, kept, secured;
    const char *url, *will, *password;
};

/* A client that is connected, or NULL with why not. */
static MQTTClient start(const char *name, struct wish wish) {
    MQTTClient client;
    MQTTClient_createOptions create = MQTTClient_createOptions_initializer;
    MQTTClient_connectOptions options = MQTTClient_connectOptions_initializer;
    MQTTClient_connectOptions five = MQTTClient_connectOptions_initializer5;
    MQTTClient_willOptions will = MQTTClient_willOptions_initializer;
    MQTTClient_SSLOptions ssl = MQTTClient_SSLOptions_initializer;
    MQTTProperties properties = MQTTProperties_initializer;
    const char *url = wish.url ? wish.url : getenv("MQTT_URL");
    char id[100];
    int code;

    snprintf(id, sizeof id, "%s-c-%s", run_name, name);
    create.MQTTVersion = wish.version;
    /* The library calls TLS ssl, and knows mqtt and mqtts only as tcp and ssl. */
    const char *kind = strncmp(url, "ws", 2) ? wish.secured ? "ssl" : "tcp" : wish.secured ? "wss" : "ws";
    char place[200];
    snprintf(place, sizeof place, "%s%s", kind, strstr(url, "://"));
    if (MQTTClient_createWithOptions(&client, place, id, MQTTCLIENT_PERSISTENCE_NONE, NULL, &create))
        return failed("cannot be made for %s", place), NULL;
    if (wish.version == MQTTVERSION_5)
        options = five;
    options.MQTTVersion = wish.version;
    options.keepAliveInterval = 60;
    options.connectTimeout = 20;
    if (wish.version == MQTTVERSION_5)
        options.cleanstart = !wish.kept;
    else
        options.cleansession = !wish.kept;
    if (wish.will) {
        will.topicName = wish.will;
        will.message = "gone";
        will.qos = 1;
        options.will = &will;
    }
    if (wish.password) {
        options.username = "alice";
        options.password = wish.password;
    }
    if (wish.secured) {
        ssl.trustStore = getenv("MOCKFORGE_TLS_CA");
        ssl.verify = 1;
        options.ssl = &ssl;
    }
    if (wish.version == MQTTVERSION_5) {
        MQTTProperty expiry = {.identifier = MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL};
        expiry.value.integer4 = wish.kept ? 300 : 0;
        MQTTProperties_add(&properties, &expiry);
        MQTTResponse answer = MQTTClient_connect5(client, &options, &properties, NULL);
        code = answer.reasonCode;
        MQTTResponse_free(answer);
        MQTTProperties_free(&properties);
    } else {
        code = MQTTClient_connect(client, &options);
    }
    if (code) {
        failed("CONNECT was answered %d", code);
        MQTTClient_destroy(&client);
        return NULL;
    }
    return client;
}

static void stop(MQTTClient client) {
    MQTTClient_disconnect(client, 1000);
    MQTTClient_destroy(&client);
}

static int subscribe(MQTTClient client, int version, const char *topic, int qos) {
    if (version != MQTTVERSION_5)
        return MQTTClient_subscribe(client, topic, qos) == MQTTCLIENT_SUCCESS || failed("SUBSCRIBE");
    MQTTResponse answer = MQTTClient_subscribe5(client, topic, qos, NULL, NULL);
    int granted = answer.reasonCode;
    MQTTResponse_free(answer);
    return granted == qos || failed("SUBSCRIBE was answered %d", granted);
}

static int publish(MQTTClient client, int version, const char *topic, const char *text, int qos,
                   int retained, MQTTProperties *properties) {
    MQTTClient_message message = MQTTClient_message_initializer;
    MQTTClient_deliveryToken token = 0;
    message.payload = (void *)text;
    message.payloadlen = (int)strlen(text);
    message.qos = qos;
    message.retained = retained;
    int code;
    if (version == MQTTVERSION_5) {
        if (properties)
            message.properties = *properties;
        MQTTResponse answer = MQTTClient_publishMessage5(client, topic, &message, &token);
        code = answer.reasonCode;
        MQTTResponse_free(answer);
    } else {
        code = MQTTClient_publishMessage(client, topic, &message, &token);
    }
    if (code)
        return failed("PUBLISH gave %d", code);
    if (qos && MQTTClient_waitForCompletion(client, token, seconds * 1000UL))
        return failed("PUBLISH was not acknowledged");
    return 1;
}

/* The next message is this one; a property of MQTT 5 goes to `user`, if that is wanted. */
static int gets(MQTTClient client, const char *text, int qos, char *user) {
    char *topic = NULL;
    int length;
    MQTTClient_message *message = NULL;
    time_t end = time(NULL) + seconds;
    while (!message && time(NULL) < end)
        MQTTClient_receive(client, &topic, &length, &message, 500);
    if (!message)
        return failed("%s did not come", text);
    int right = message->payloadlen == (int)strlen(text) &&
                !memcmp(message->payload, text, message->payloadlen) && message->qos == qos;
    if (!right)
        failed("%.*s with QoS %d came, not %s", message->payloadlen, (char *)message->payload,
               message->qos, text);
    MQTTProperty *found =
        user ? MQTTProperties_getProperty(&message->properties, MQTTPROPERTY_CODE_USER_PROPERTY) : NULL;
    if (found)
        sprintf(user, "%.*s=%.*s", found->value.data.len, found->value.data.data,
                found->value.value.len, found->value.value.data);
    MQTTClient_freeMessage(&message);
    MQTTClient_free(topic);
    return right;
}

/* GET /mqtt/kill or restart of the address that the matrix gives. */
static int happen(const char *what) {
    char host[100] = "", port[10] = "", text[300];
    sscanf(getenv("MATRIX_CONTROL"), "http://%99[^:]:%9s", host, port);
    struct addrinfo wanted = {.ai_socktype = SOCK_STREAM}, *place;
    if (getaddrinfo(host, port, &wanted, &place))
        return failed("no %s", host);
    int wire = socket(place->ai_family, SOCK_STREAM, 0);
    int there = !connect(wire, place->ai_addr, place->ai_addrlen);
    freeaddrinfo(place);
    int length = snprintf(text, sizeof text, "GET /mqtt/%s HTTP/1.0\r\nHost: %s\r\n\r\n", what, host);
    there = there && write(wire, text, length) == length;
    ssize_t got = there ? read(wire, text, sizeof text - 1) : 0;
    close(wire);
    text[got > 0 ? got : 0] = 0;
    return strstr(text, " 200 ") ? 1 : failed("%s: %.80s", what, text);
}

static const int versions[] = {MQTTVERSION_3_1_1, MQTTVERSION_5};

static int exchange(struct wish wish) {
    MQTTClient client = start("exchange", wish);
    if (!client)
        return 0;
    const char *topic = named("exchange");
    int right = subscribe(client, wish.version, topic, 2);
    for (int qos = 0; right && qos < 3; qos++)
        right = publish(client, wish.version, topic, "here", qos, 0, NULL) &&
                gets(client, "here", qos, NULL);
    stop(client);
    return right;
}

static int in_both(struct wish wish) {
    for (int each = 0; each < 2; each++) {
        wish.version = versions[each];
        if (!exchange(wish))
            return 0;
    }
    return 1;
}

static int check_qos(void) { return in_both((struct wish){0}); }

static int check_retained(void) {
    for (int each = 0; each < 2; each++) {
        int version = versions[each];
        MQTTClient client = start("retained", (struct wish){.version = version});
        if (!client)
            return 0;
        const char *topic = named("retained");
        int right = publish(client, version, topic, "on", 1, 1, NULL) &&
                    subscribe(client, version, topic, 1) && gets(client, "on", 1, NULL) &&
                    publish(client, version, topic, "", 1, 1, NULL);
        stop(client);
        if (!right)
            return 0;
    }
    return 1;
}

static int check_will(void) {
    for (int each = 0; each < 2; each++) {
        int version = versions[each];
        MQTTClient watcher = start("watcher", (struct wish){.version = version});
        if (!watcher || !subscribe(watcher, version, named("will"), 1))
            return 0;
        pid_t child = fork();
        if (!child)
            /* Ends with its socket, without a DISCONNECT. */
            _exit(!start("doomed", (struct wish){.version = version, .will = named("will")}));
        int status = 0;
        waitpid(child, &status, 0);
        int right = status ? failed("the other did not connect") : gets(watcher, "gone", 1, NULL);
        stop(watcher);
        if (!right)
            return 0;
    }
    return 1;
}

static int check_session(void) {
    for (int each = 0; each < 2; each++) {
        struct wish wish = {.version = versions[each], .kept = 1};
        const char *topic = named(each ? "session5" : "session");
        MQTTClient sleeper = start("sleeper", wish);
        if (!sleeper || !subscribe(sleeper, wish.version, topic, 1))
            return 0;
        stop(sleeper);
        MQTTClient other = start("other", (struct wish){.version = wish.version});
        if (!other || !publish(other, wish.version, topic, "while away", 1, 0, NULL))
            return 0;
        stop(other);
        sleeper = start("sleeper", wish);
        int right = sleeper && gets(sleeper, "while away", 1, NULL);
        if (sleeper)
            stop(sleeper);
        if (!right)
            return 0;
    }
    return 1;
}

static int check_properties(void) {
    MQTTClient client = start("properties", (struct wish){.version = MQTTVERSION_5});
    if (!client)
        return 0;
    MQTTProperties properties = MQTTProperties_initializer;
    MQTTProperty pair = {.identifier = MQTTPROPERTY_CODE_USER_PROPERTY};
    pair.value.data = (MQTTLenString){1, "a"};
    pair.value.value = (MQTTLenString){1, "1"};
    MQTTProperties_add(&properties, &pair);
    char user[100] = "";
    const char *topic = named("properties");
    int right = subscribe(client, MQTTVERSION_5, topic, 1) &&
                publish(client, MQTTVERSION_5, topic, "here", 1, 0, &properties) &&
                gets(client, "here", 1, user);
    MQTTProperties_free(&properties);
    stop(client);
    return right && (!strcmp(user, "a=1") || failed("the user property is %s", user));
}

static int survive(const char *what) {
    struct wish wish = {.version = MQTTVERSION_3_1_1, .kept = 1};
    const char *topic = named(what);
    MQTTClient client = start(what, wish);
    if (!client || !subscribe(client, wish.version, topic, 1) || !happen(what))
        return 0;
    MQTTClient_destroy(&client);
    MQTTClient other = NULL;
    for (time_t end = time(NULL) + seconds; !other && time(NULL) < end; usleep(50000))
        other = start("survivor", (struct wish){.version = wish.version});
    if (!other || !publish(other, wish.version, topic, "after", 1, 0, NULL))
        return 0;
    client = start(what, wish);
    int right = client && gets(client, "after", 1, NULL);
    stop(other);
    if (client)
        stop(client);
    return right;
}

static int check_kill(void) { return survive("kill"); }

static int check_restart(void) { return survive("restart"); }

static int check_tls(void) {
    struct wish wish = {.url = getenv("MQTT_TLS_URL"), .secured = 1, .password = "secret"};
    if (!in_both(wish))
        return 0;
    wish.password = "wrong";
    wish.version = MQTTVERSION_5;
    MQTTClient client = start("wrong", wish);
    return client ? failed("connected with a wrong password") : 1;
}

static int check_websocket(void) { return in_both((struct wish){.url = getenv("MQTT_WS_URL")}); }

static int check_secure_websocket(void) {
    return in_both(
        (struct wish){.url = getenv("MQTT_WSS_URL"), .secured = 1, .password = "secret"});
}

int main(void) {
    static const struct {
        const char *name;
        int (*check)(void);
    } checks[] = {
        {"QoS", check_qos},           {"retained", check_retained}, {"will", check_will},
        {"session", check_session},   {"properties", check_properties}, {"kill", check_kill},
        {"restart", check_restart},   {"TLS", check_tls},           {"WebSocket", check_websocket},
        {"secure WebSocket", check_secure_websocket},
    };
    run_name = getenv("MATRIX_RUN");
    if (getenv("MATRIX_SECONDS"))
        seconds = atoi(getenv("MATRIX_SECONDS"));
    time_t begun = time(NULL);
    const char *version = "";
    for (MQTTClient_nameValue *each = MQTTClient_getVersionInfo(); each->name; each++)
        if (!strcmp(each->name, "Version"))
            version = each->value;
    printf("{\"client\": \"paho.mqtt.c\", \"version\": \"%s\"}\n", version);
    for (size_t each = 0; each < sizeof checks / sizeof *checks; each++) {
        fflush(stdout);
        if (getenv("MATRIX_QUICK") && time(NULL) > begun + 3)
            printf("{\"check\": \"%s\", \"skipped\": \"no time left in a quick run\"}\n", checks[each].name);
        else if (checks[each].check())
            printf("{\"check\": \"%s\", \"ok\": true}\n", checks[each].name);
        else
            printf("{\"check\": \"%s\", \"failed\": \"%s\"}\n", checks[each].name, why);
    }
    return 0;
}
