"""RabbitMQ's management interface (https://www.rabbitmq.com/docs/http-api-reference), at its port.

`app` takes a request apart and checks who asks, `reading` and `changing` answer, each path one
function; `listing` pages, sorts and picks columns. Figures are true to the moment: nothing is
sampled beforehand as RabbitMQ does.
"""
