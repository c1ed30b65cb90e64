//! rumqttc, MQTT 5.0.
use matrix::{ensure, env, happen, named, Checks, Outcome};
use rumqttc::v5::mqttbytes::v5::{LastWill, Packet};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::{AsyncClient, ConnectionError, Event, MqttOptions};
use rumqttc::{TlsConfiguration, Transport};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A client with the task that polls its connection, which is how it connects again.
struct Device {
    client: AsyncClient,
    got: Arc<Mutex<Vec<(String, QoS, bool)>>>,
    granted: Arc<Mutex<u32>>,
    refused: Arc<Mutex<bool>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Device {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn address(variable: &str) -> (String, u16) {
    let url = env(variable);
    let place = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
    let (host, port) = place.split_once(':').unwrap_or((place, "0"));
    (
        host.replace("127.0.0.1", "localhost"),
        port.parse().unwrap_or_default(),
    )
}

fn options(name: &str, variable: &str) -> MqttOptions {
    let (host, port) = address(variable);
    let mut made = MqttOptions::new(named(name), host, port);
    made.set_keep_alive(Duration::from_secs(10));
    made
}

impl Device {
    fn start(options: MqttOptions) -> Self {
        let (client, mut events) = AsyncClient::new(options, 100);
        let got = Arc::new(Mutex::new(Vec::new()));
        let (granted, refused) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(false)));
        let (all, subscribed, failed) = (got.clone(), granted.clone(), refused.clone());
        let task = tokio::spawn(async move {
            loop {
                match events.poll().await {
                    Ok(Event::Incoming(Packet::Publish(one))) => {
                        let text = String::from_utf8_lossy(&one.payload).to_string();
                        all.lock().unwrap().push((text, one.qos, one.retain));
                    }
                    Ok(Event::Incoming(Packet::SubAck(_))) => *subscribed.lock().unwrap() += 1,
                    Ok(_) => {}
                    Err(error) => {
                        if matches!(error, ConnectionError::ConnectionRefused(_)) {
                            *failed.lock().unwrap() = true;
                        }
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                }
            }
        });
        Device {
            client,
            got,
            granted,
            refused,
            task,
        }
    }

    async fn listen(&self, topic: &str, qos: QoS) -> Outcome {
        let before = *self.granted.lock().unwrap();
        self.client.subscribe(topic, qos).await?;
        until("the SUBACK", || *self.granted.lock().unwrap() > before).await
    }

    async fn send(&self, topic: &str, qos: QoS, kept: bool, text: &str) -> Outcome {
        Ok(self
            .client
            .publish(topic, qos, kept, text.to_string())
            .await?)
    }

    async fn texts(
        &self,
        count: usize,
    ) -> Result<Vec<(String, QoS, bool)>, Box<dyn std::error::Error + Send + Sync>> {
        until("the messages", || self.got.lock().unwrap().len() >= count).await?;
        Ok(self.got.lock().unwrap().clone())
    }
}

async fn until(what: &str, fact: impl Fn() -> bool) -> Outcome {
    for _ in 0..1500 {
        if fact() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Err(format!("not in time: {what}").into())
}

async fn qos() -> Outcome {
    let device = Device::start(options("qos", "MQTT_URL"));
    device.listen(&named("qos/+"), QoS::ExactlyOnce).await?;
    for (number, level) in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce]
        .into_iter()
        .enumerate()
    {
        device
            .send(
                &named(&format!("qos/{number}")),
                level,
                false,
                &number.to_string(),
            )
            .await?;
    }
    let mut found: Vec<_> = device
        .texts(3)
        .await?
        .into_iter()
        .map(|one| (one.0, one.1 as u8))
        .collect();
    found.sort();
    ensure(
        found == [("0".into(), 0), ("1".into(), 1), ("2".into(), 2)],
        "each with its QoS",
    )
}

async fn retained() -> Outcome {
    let device = Device::start(options("retained", "MQTT_URL"));
    device
        .send(&named("kept"), QoS::AtLeastOnce, true, "on")
        .await?;
    device.listen(&named("kept"), QoS::AtLeastOnce).await?;
    ensure(device.texts(1).await?[0].2, "it is retained")
}

async fn will() -> Outcome {
    let watcher = Device::start(options("watcher", "MQTT_URL"));
    watcher.listen(&named("will"), QoS::AtLeastOnce).await?;
    let mut doomed = options("doomed", "MQTT_URL");
    doomed.set_last_will(LastWill::new(
        named("will"),
        "gone",
        QoS::AtLeastOnce,
        false,
        None,
    ));
    let device = Device::start(doomed);
    device.listen(&named("other"), QoS::AtLeastOnce).await?;
    drop(device); // without a DISCONNECT
    ensure(watcher.texts(1).await?[0].0 == "gone", "the will comes")
}

fn lasting(name: &str) -> MqttOptions {
    let mut made = options(name, "MQTT_URL");
    made.set_clean_start(false);
    made.set_session_expiry_interval(Some(300));
    made
}

async fn session() -> Outcome {
    let first = Device::start(lasting("sleeper"));
    first.listen(&named("away"), QoS::AtLeastOnce).await?;
    drop(first);
    let other = Device::start(options("other", "MQTT_URL"));
    other
        .send(&named("away"), QoS::AtLeastOnce, false, "while away")
        .await?;
    let again = Device::start(lasting("sleeper"));
    ensure(
        again.texts(1).await?[0].0 == "while away",
        "what came meanwhile",
    )
}

async fn survive(what: &'static str) -> Outcome {
    let device = Device::start(lasting(what));
    device.listen(&named(what), QoS::AtLeastOnce).await?;
    let publisher = Device::start(lasting(&format!("{what}-publisher")));
    publisher
        .send(&named(what), QoS::AtLeastOnce, false, "before")
        .await?;
    device.texts(1).await?;
    happen(what).await?;
    for number in 0..10 {
        publisher
            .send(&named(what), QoS::AtLeastOnce, false, &number.to_string())
            .await?;
    }
    until("all messages", || {
        let got = device.got.lock().unwrap();
        (0..10).all(|number| got.iter().any(|one| one.0 == number.to_string()))
    })
    .await
}

async fn secured() -> Outcome {
    let ca = std::fs::read(env("MOCKFORGE_TLS_CA"))?;
    let start = |name: &str, password: &str| {
        let mut made = options(name, "MQTT_TLS_URL");
        let tls = TlsConfiguration::Simple {
            ca: ca.clone(),
            alpn: None,
            client_auth: None,
        };
        made.set_transport(Transport::tls_with_config(tls));
        made.set_credentials("alice", password);
        Device::start(made)
    };
    let device = start("tls", "secret");
    device.listen(&named("tls"), QoS::AtLeastOnce).await?;
    device
        .send(&named("tls"), QoS::AtLeastOnce, false, "here")
        .await?;
    device.texts(1).await?;
    let wrong = start("wrong", "wrong");
    until("the refusal", || *wrong.refused.lock().unwrap()).await
}

#[tokio::main]
async fn main() {
    let checks = Checks::begin("rumqttc v5", &matrix::version("rumqttc"));
    checks.check("QoS", Box::pin(qos())).await;
    checks.check("retained", Box::pin(retained())).await;
    checks.check("will", Box::pin(will())).await;
    checks.check("session", Box::pin(session())).await;
    checks.check("kill", Box::pin(survive("kill"))).await;
    checks.check("restart", Box::pin(survive("restart"))).await;
    checks.check("TLS", Box::pin(secured())).await;
    std::process::exit(0);
}
