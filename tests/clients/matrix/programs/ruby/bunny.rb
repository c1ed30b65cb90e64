# Bunny, which recovers connections, consumers and what it declared by itself.
require 'bunny'
require_relative 'checks'

def session(url = ENV.fetch('AMQP_URL'), **more)
  quiet = { logger: Logger.new(File::NULL), network_recovery_interval: 0.2, recover_from_connection_close: true }
  Bunny.new(url, **quiet, **more).tap(&:start)
end

def with_channel
  connection = session
  yield connection.create_channel
ensure
  connection&.close
end

def body(queue)
  wait_for("a message in #{queue.name}") { queue.pop.last }
end

def survive(what)
  connection = session
  channel = connection.create_channel
  queue = channel.queue("#{RUN}-ruby-#{what}", durable: true)
  got = Queue.new
  queue.subscribe { |_, _, text| got << text }
  queue.publish('before', persistent: true)
  equal(got.pop, 'before')
  happen(what)
  wait_for('a message after it') do
    other = session
    other.create_channel.default_exchange.publish('after', routing_key: queue.name)
    other.close
    sleep 0.2
    !got.empty?
  rescue StandardError
    false
  end
  equal(got.pop, 'after')
  connection.close
end

puts JSON.generate(client: 'Bunny', version: Bunny::VERSION)
check('publish') do
  with_channel do |channel|
    channel.confirm_select
    returned = Queue.new
    exchange = channel.topic("#{RUN}-ruby-events")
    exchange.on_return { |info, _, _| returned << info.reply_code }
    queue = channel.queue("#{RUN}-ruby-invoices").bind(exchange, routing_key: 'order.*')
    20.times { |n| exchange.publish(n.to_s, routing_key: 'order.paid', headers: { n: n }) }
    exchange.publish('lost', routing_key: 'nobody', mandatory: true)
    equal(channel.wait_for_confirms, true)
    equal(returned.pop, 312)
    info, = wait_for('the first') { (found = queue.pop(manual_ack: true)).first && found }
    channel.nack(info.delivery_tag, false, true)
    equal(Array.new(20) { body(queue) }.sort_by(&:to_i), (0..19).map(&:to_s))
  end
end
check('dead letters') do
  with_channel do |channel|
    dead = channel.queue("#{RUN}-ruby-dead")
    arguments = { 'x-dead-letter-exchange' => '', 'x-dead-letter-routing-key' => dead.name, 'x-message-ttl' => 50 }
    channel.queue("#{RUN}-ruby-short", arguments: arguments).publish('expired')
    equal(body(dead), 'expired')
  end
end
check('limits') do
  with_channel do |channel|
    channel.confirm_select
    queue = channel.queue("#{RUN}-ruby-two", arguments: { 'x-max-length' => 2 })
    4.times { |n| queue.publish(n.to_s) }
    channel.wait_for_confirms
    equal(body(queue) + body(queue), '23')
    ranked = channel.queue("#{RUN}-ruby-ranked", arguments: { 'x-max-priority' => 5 })
    [1, 5, 3].each { |priority| ranked.publish(priority.to_s, priority: priority) }
    channel.wait_for_confirms
    equal(Array.new(3) { body(ranked) }.join, '531')
  end
end
check('RPC') do
  with_channel do |channel|
    queue = channel.queue("#{RUN}-ruby-rpc")
    answers = Queue.new
    replies = channel.queue('amq.rabbitmq.reply-to', no_declare: true)
    replies.subscribe { |_, _, text| answers << text }
    queue.subscribe { |_, asked, text| channel.default_exchange.publish("#{text}!", routing_key: asked.reply_to) }
    queue.publish('me', reply_to: 'amq.rabbitmq.reply-to')
    equal(answers.pop, 'me!')
  end
end
check('transactions') do
  with_channel do |channel|
    queue = channel.queue("#{RUN}-ruby-tx")
    channel.tx_select
    queue.publish('no')
    channel.tx_rollback
    queue.publish('yes')
    channel.tx_commit
    equal(body(queue), 'yes')
  end
end
check('kill') { survive('kill') }
check('restart') { survive('restart') }
check('TLS') do
  more = { tls_ca_certificates: [ENV.fetch('MOCKFORGE_TLS_CA')], verify_peer: true }
  url = ENV.fetch('AMQP_TLS_URL')
  connection = session(url, **more)
  queue = connection.create_channel.queue("#{RUN}-ruby-tls")
  queue.publish('here')
  equal(body(queue), 'here')
  connection.close
  refused = begin
    session(url.sub(':secret@', ':wrong@'), **more)
    false
  rescue Bunny::Exception
    true
  end
  equal(refused, true)
end
exit!(0)
