//! rdkafka, on the librdkafka it brings along.
use matrix::{ensure, env, happen, longest, named, Checks, Outcome};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::message::Message;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use std::collections::BTreeSet;

type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn settings() -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", env("KAFKA_BOOTSTRAP_SERVERS"))
        .set("reconnect.backoff.max.ms", "200");
    config
}

fn consumer(topic: &str, more: &[(&str, &str)]) -> Fallible<StreamConsumer> {
    let mut config = settings();
    config
        .set("group.id", topic)
        .set("auto.offset.reset", "earliest");
    for (name, value) in more {
        config.set(*name, *value);
    }
    let made: StreamConsumer = config.create()?;
    made.subscribe(&[topic])?;
    Ok(made)
}

async fn read(from: &StreamConsumer, count: usize) -> Fallible<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    while found.len() < count {
        let message = tokio::time::timeout(longest(), from.recv()).await?;
        if let Ok(message) = message {
            found
                .insert(String::from_utf8_lossy(message.payload().unwrap_or_default()).to_string());
        }
    }
    Ok(found)
}

async fn send(producer: &FutureProducer, topic: &str, from: u32, to: u32) -> Outcome {
    for number in from..to {
        let text = number.to_string();
        let record = FutureRecord::to(topic).key(&text).payload(&text);
        producer
            .send(record, longest())
            .await
            .map_err(|(error, _)| error)?;
    }
    Ok(())
}

async fn produce() -> Outcome {
    for codec in ["none", "gzip", "snappy", "lz4"] {
        let topic = named(codec);
        let producer: FutureProducer = settings().set("compression.type", codec).create()?;
        send(&producer, &topic, 0, 20).await?;
        let reader = consumer(&topic, &[])?;
        ensure(read(&reader, 20).await?.len() == 20, "all records")?;
    }
    Ok(())
}

async fn group(kind: &'static str) -> Outcome {
    let topic = named(&format!("group-{kind}"));
    let producer: FutureProducer = settings().create()?;
    send(&producer, &topic, 0, 20).await?;
    let more = [("group.protocol", kind)];
    let first = consumer(&topic, &more)?;
    read(&first, 20).await?;
    first.commit_consumer_state(CommitMode::Sync)?;
    drop(first);
    send(&producer, &topic, 20, 21).await?;
    let again = consumer(&topic, &more)?;
    ensure(
        read(&again, 1).await?.contains("20"),
        "it goes on where it was",
    )
}

async fn transactions() -> Outcome {
    let topic = named("tx");
    let producer: FutureProducer = settings().set("transactional.id", &topic).create()?;
    producer.init_transactions(longest())?;
    for number in 0..4 {
        producer.begin_transaction()?;
        send(&producer, &topic, number, number + 1).await?;
        if number % 2 == 0 {
            producer.commit_transaction(longest())?;
        } else {
            producer.abort_transaction(longest())?;
        }
    }
    let reader = consumer(&topic, &[("isolation.level", "read_committed")])?;
    let found = read(&reader, 2).await?;
    ensure(
        found.into_iter().collect::<Vec<_>>() == ["0", "2"],
        "what was committed",
    )
}

async fn admin() -> Outcome {
    let topic = named("admin");
    let client: AdminClient<_> = settings().create()?;
    let options = AdminOptions::new();
    let made = NewTopic::new(&topic, 2, TopicReplication::Fixed(1));
    for outcome in client.create_topics([&made], &options).await? {
        outcome.map_err(|(name, code)| format!("{name}: {code}"))?;
    }
    let found = client.inner().fetch_metadata(Some(&topic), longest())?;
    ensure(found.topics()[0].partitions().len() == 2, "two partitions")?;
    for outcome in client.delete_topics(&[&topic], &options).await? {
        outcome.map_err(|(name, code)| format!("{name}: {code}"))?;
    }
    Ok(())
}

async fn survive(what: &'static str) -> Outcome {
    let topic = named(what);
    let producer: FutureProducer = settings().set("enable.idempotence", "true").create()?;
    let reader = consumer(&topic, &[])?;
    send(&producer, &topic, 0, 1).await?;
    read(&reader, 1).await?;
    reader.commit_consumer_state(CommitMode::Sync)?;
    happen(what).await?;
    send(&producer, &topic, 1, 30).await?;
    ensure(read(&reader, 29).await?.len() == 29, "all records")
}

async fn secured() -> Outcome {
    tokio::task::spawn_blocking(|| {
        let login = |password: &str| -> Outcome {
            let client: AdminClient<_> = settings()
                .set("bootstrap.servers", env("KAFKA_TLS_BOOTSTRAP_SERVERS"))
                .set("security.protocol", "SASL_SSL")
                .set("ssl.ca.location", env("MOCKFORGE_TLS_CA"))
                .set("sasl.mechanism", "SCRAM-SHA-512")
                .set("sasl.username", "alice")
                .set("sasl.password", password)
                .create()?;
            client
                .inner()
                .fetch_metadata(None, longest() / 3)?;
            Ok(())
        };
        login("secret")?;
        ensure(login("wrong").is_err(), "a wrong password is refused")
    })
    .await?
}

#[tokio::main]
async fn main() {
    let checks = Checks::begin("rdkafka", &matrix::version("rdkafka"));
    checks.check("produce", Box::pin(produce())).await;
    checks.check("group", Box::pin(group("classic"))).await;
    checks.check("KIP-848", Box::pin(group("consumer"))).await;
    checks.check("transactions", Box::pin(transactions())).await;
    checks.check("admin", Box::pin(admin())).await;
    checks.check("kill", Box::pin(survive("kill"))).await;
    checks.check("restart", Box::pin(survive("restart"))).await;
    checks.check("TLS", Box::pin(secured())).await;
    std::process::exit(0);
}
