# Prints the lines of programs/python/checks.py.
require 'json'
require 'net/http'
require 'timeout'

RUN = ENV.fetch('MATRIX_RUN')
$stdout.sync = true

def check(name)
  Timeout.timeout(60) { yield }
  puts JSON.generate(check: name, ok: true)
rescue StandardError => e
  puts JSON.generate(check: name, failed: "#{e.class}: #{e.message}"[0, 200])
end

# Lets all connections be cut (kill), or the broker go and come back (restart).
def happen(what)
  address = URI("#{ENV.fetch('MATRIX_CONTROL')}/#{ENV.fetch('MATRIX_PROTOCOL')}/#{what}")
  equal(Net::HTTP.get_response(address).code, '200')
end

def equal(got, wanted)
  raise "#{got.inspect}, not #{wanted.inspect}" unless got == wanted
end

def wait_for(what)
  limit = Time.now + 30
  until (found = yield)
    raise "not in time: #{what}" if Time.now > limit

    sleep 0.02
  end
  found
end
