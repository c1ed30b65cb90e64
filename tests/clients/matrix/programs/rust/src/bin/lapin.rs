//! lapin.
use futures_lite::StreamExt;
use lapin::options::*;
use lapin::tcp::OwnedTLSConfig;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer, ExchangeKind};
use matrix::{ensure, env, happen, named, Checks, Outcome};
use std::time::Duration;

type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

async fn open() -> Fallible<(Connection, Channel)> {
    let mut last = None;
    for _ in 0..100 {
        match Connection::connect(&env("AMQP_URL"), ConnectionProperties::default()).await {
            Ok(connection) => {
                let channel = connection.create_channel().await?;
                return Ok((connection, channel));
            }
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(last.expect("an error").into())
}

async fn declare(channel: &Channel, name: &str, arguments: FieldTable) -> Fallible<String> {
    let queue = named(name);
    let mut options = QueueDeclareOptions::default();
    options.durable = true;
    channel
        .queue_declare(queue.as_str().into(), options, arguments)
        .await?;
    Ok(queue)
}

async fn send(channel: &Channel, exchange: &str, key: &str, text: &str) -> Outcome {
    let properties = BasicProperties::default().with_delivery_mode(2);
    let mut options = BasicPublishOptions::default();
    options.mandatory = true;
    channel
        .basic_publish(
            exchange.into(),
            key.into(),
            options,
            text.as_bytes(),
            properties,
        )
        .await?
        .await?;
    Ok(())
}

async fn consume(channel: &Channel, queue: &str) -> Fallible<Consumer> {
    let tag = format!("tag-{queue}");
    Ok(channel
        .basic_consume(
            queue.into(),
            tag.as_str().into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await?)
}

async fn next(consumer: &mut Consumer) -> Fallible<lapin::message::Delivery> {
    let limited = tokio::time::timeout(Duration::from_secs(20), consumer.next());
    Ok(limited.await?.ok_or("the consumer ended")??)
}

async fn publish() -> Outcome {
    let (connection, channel) = open().await?;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await?;
    let exchange = named("events");
    channel
        .exchange_declare(
            exchange.as_str().into(),
            ExchangeKind::Topic,
            ExchangeDeclareOptions::default(),
            FieldTable::default(),
        )
        .await?;
    let queue = declare(&channel, "invoices", FieldTable::default()).await?;
    channel
        .queue_bind(
            queue.as_str().into(),
            exchange.as_str().into(),
            "order.*".into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        )
        .await?;
    for number in 0..20 {
        send(&channel, &exchange, "order.paid", &number.to_string()).await?;
    }
    channel.basic_qos(5, BasicQosOptions::default()).await?;
    let mut consumer = consume(&channel, &queue).await?;
    let (mut got, mut again) = (0, 0);
    while got < 20 {
        let one = next(&mut consumer).await?;
        if one.data == b"7" && !one.redelivered {
            let mut requeue = BasicNackOptions::default();
            requeue.requeue = true;
            one.acker.nack(requeue).await?;
            continue;
        }
        again += i32::from(one.redelivered);
        one.acker.ack(BasicAckOptions::default()).await?;
        got += 1;
    }
    ensure(again == 1, "one message comes again")?;
    connection.close(200, "".into()).await?;
    Ok(())
}

async fn dead_letters() -> Outcome {
    let (connection, channel) = open().await?;
    let dead = declare(&channel, "dead", FieldTable::default()).await?;
    let mut arguments = FieldTable::default();
    arguments.insert(
        "x-dead-letter-exchange".into(),
        AMQPValue::LongString("".into()),
    );
    arguments.insert(
        "x-dead-letter-routing-key".into(),
        AMQPValue::LongString(dead.as_str().into()),
    );
    arguments.insert("x-message-ttl".into(), AMQPValue::LongInt(50));
    let short = declare(&channel, "short", arguments).await?;
    send(&channel, "", &short, "expired").await?;
    let mut consumer = consume(&channel, &dead).await?;
    let one = next(&mut consumer).await?;
    let headers = one.properties.headers().clone().ok_or("no headers")?;
    ensure(headers.inner().contains_key("x-death"), "x-death is there")?;
    connection.close(200, "".into()).await?;
    Ok(())
}

async fn ranked(channel: &Channel, queue: &str, priority: u8) -> Outcome {
    let properties = BasicProperties::default().with_priority(priority);
    let text = priority.to_string();
    channel
        .basic_publish(
            "".into(),
            queue.into(),
            BasicPublishOptions::default(),
            text.as_bytes(),
            properties,
        )
        .await?
        .await?;
    Ok(())
}

async fn limits() -> Outcome {
    let (connection, channel) = open().await?;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(3));
    arguments.insert("x-max-priority".into(), AMQPValue::LongInt(5));
    let queue = declare(&channel, "ranked", arguments).await?;
    for priority in [2, 1, 5, 3] {
        ranked(&channel, &queue, priority).await?;
    }
    let mut consumer = consume(&channel, &queue).await?;
    // What is at the head is dropped, and that is the highest one.
    for kept in [b"3", b"2", b"1"] {
        ensure(next(&mut consumer).await?.data == kept, "the highest first")?;
    }
    connection.close(200, "".into()).await?;
    Ok(())
}

async fn rpc() -> Outcome {
    let (connection, channel) = open().await?;
    let queue = declare(&channel, "rpc", FieldTable::default()).await?;
    let mut asked = consume(&channel, &queue).await?;
    let mut direct = BasicConsumeOptions::default();
    direct.no_ack = true;
    let mut answers = channel
        .basic_consume(
            "amq.rabbitmq.reply-to".into(),
            "answers".into(),
            direct,
            FieldTable::default(),
        )
        .await?;
    let properties = BasicProperties::default().with_reply_to("amq.rabbitmq.reply-to".into());
    channel
        .basic_publish(
            "".into(),
            queue.as_str().into(),
            BasicPublishOptions::default(),
            b"me",
            properties,
        )
        .await?
        .await?;
    let request = next(&mut asked).await?;
    let reply_to = request.properties.reply_to().clone().ok_or("no reply-to")?;
    send(&channel, "", reply_to.as_str(), "answer to me").await?;
    let answer = next(&mut answers).await?;
    ensure(answer.data == b"answer to me", "the answer comes")?;
    connection.close(200, "".into()).await?;
    Ok(())
}

async fn survive(what: &'static str) -> Outcome {
    let (connection, channel) = open().await?;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await?;
    let queue = declare(&channel, what, FieldTable::default()).await?;
    for text in ["0", "1"] {
        send(&channel, "", &queue, text).await?;
    }
    let mut consumer = consume(&channel, &queue).await?;
    next(&mut consumer).await?;
    happen(what).await?;
    while connection.status().connected() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (again, channel) = open().await?;
    let mut consumer = consume(&channel, &queue).await?;
    let first = next(&mut consumer).await?;
    ensure(
        first.data == b"0" && first.redelivered,
        "the first comes again",
    )?;
    ensure(next(&mut consumer).await?.data == b"1", "the second comes")?;
    again.close(200, "".into()).await?;
    Ok(())
}

async fn secured() -> Outcome {
    let connect = |url: String| async move {
        let tls = OwnedTLSConfig {
            identity: None,
            cert_chain: Some(std::fs::read_to_string(env("MOCKFORGE_TLS_CA"))?),
        };
        let connection = Connection::connect_with_config(
            &url,
            ConnectionProperties::default(),
            tls,
            lapin::runtime::default_runtime()?,
        )
        .await?;
        let channel = connection.create_channel().await?;
        declare(&channel, "tls", FieldTable::default()).await?;
        connection.close(200, "".into()).await?;
        Outcome::Ok(())
    };
    let url = env("AMQP_TLS_URL").replace("127.0.0.1", "localhost");
    connect(url.clone()).await?;
    let refused = connect(url.replace(":secret@", ":wrong@")).await;
    ensure(refused.is_err(), "a wrong password is refused")
}

#[tokio::main]
async fn main() {
    let checks = Checks::begin("lapin", &matrix::version("lapin"));
    checks.check("publish", Box::pin(publish())).await;
    checks.check("dead letters", Box::pin(dead_letters())).await;
    checks.check("limits", Box::pin(limits())).await;
    checks.check("RPC", Box::pin(rpc())).await;
    checks.check("kill", Box::pin(survive("kill"))).await;
    checks.check("restart", Box::pin(survive("restart"))).await;
    checks.check("TLS", Box::pin(secured())).await;
    std::process::exit(0);
}
