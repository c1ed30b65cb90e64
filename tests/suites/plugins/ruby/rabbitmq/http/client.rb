# What Bunny's specs ask of rabbitmq_http_api_client, where that gem is not there.

require "json"
require "net/http"
require "ostruct"
require "uri"

module RabbitMQ
  module HTTP
    class Client
      def initialize(endpoint)
        @api = URI.parse(endpoint)
      end

      def list_connections = list("connections")

      def list_channels = list("channels")

      def list_queues(vhost = nil) = list("queues", vhost)

      def list_exchanges(vhost = nil) = list("exchanges", vhost)

      def close_connection(name)
        ask(Net::HTTP::Delete, ["connections", name])
      end

      private

      def list(*path)
        JSON.parse(ask(Net::HTTP::Get, path.compact).body).map { |each| OpenStruct.new(each) }
      end

      def ask(kind, path)
        words = path.map { |word| URI.encode_www_form_component(word).gsub("+", "%20") }
        request = kind.new("/api/#{words.join("/")}")
        request.basic_auth("guest", "guest")
        Net::HTTP.start(@api.host, @api.port) { |http| http.request(request) }
      end
    end
  end
end
