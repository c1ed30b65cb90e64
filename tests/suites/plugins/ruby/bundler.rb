# Where Bunny's gems cannot all be had: those of the system and the stand-ins beside this file.

# Kernel.require itself does not know of gems.
find = method(:require)

module Bundler
end

Bundler.define_singleton_method(:require) do |*|
  %w[rspec/retry sorted_set base64 rabbitmq/http/client toxiproxy].each { |name| find.call(name) }
end
