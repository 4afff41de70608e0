# Turns the `acl` files that `enroll` and `certificate --client` leave into users of RabbitMQ:
#
#     cat publisher/acl collector/acl edge-*/acl | awk -f rabbitmq-definitions.awk > definitions.json
#
# A user may have queues for its own subscriptions: their names begin with the client's id, and that
# with the gateway's name, or with `gateward-` for the control plane. What it may publish and read is
# a pattern of topics with dots for slashes. Users have no password, so a certificate is the only
# way in, and there is no user `guest`.

function flush(    queues, both) {
    if (user == "") return
    # The length counts: a gateway `edge-1` is not to have the queues of `edge-1-b`.
    if (user == "control" || user == "collector") queues = "gateward-[a-z]+-[0-9a-f]{12}"
    else queues = user "-[0-9a-f]{16}"
    queues = "mqtt-subscription-" queues "(-[0-9]+)?qos[01]"
    both = "^(" queues "|amq[.]topic)$"
    users = users comma "\n  {\"name\": \"" user "\", \"password_hash\": \"\", \"tags\": \"\"}"
    rights = rights comma "\n  {\"user\": \"" user "\", \"vhost\": \"/\", \"configure\": \"^" queues "$\", "
    rights = rights "\"write\": \"" both "\", \"read\": \"" both "\"}"
    topics = topics comma "\n  {\"user\": \"" user "\", \"vhost\": \"/\", \"exchange\": \"amq.topic\", "
    # A pattern that no topic fits stands where there is none: an empty one would fit them all.
    topics = topics "\"write\": \"" (writes == "" ? "^$" : "^(" writes ")$") "\", "
    topics = topics "\"read\": \"" (reads == "" ? "^$" : "^(" reads ")$") "\"}"
    comma = ","
}

$1 == "user" { flush(); user = $2; writes = reads = "" }

$1 == "topic" {
    pattern = $3
    gsub(/\//, "[.]", pattern)
    # A level that any name fits; as a filter it is `*`.
    gsub(/\+/, "[^.]+", pattern)
    sub(/#$/, ".+", pattern)
    if ($2 ~ /write/) writes = writes (writes == "" ? "" : "|") pattern
    if ($2 ~ /read/) reads = reads (reads == "" ? "" : "|") pattern
}

END {
    flush()
    printf "{\n \"vhosts\": [{\"name\": \"/\"}],\n \"users\": [%s\n ],\n", users
    printf " \"permissions\": [%s\n ],\n \"topic_permissions\": [%s\n ]\n}\n", rights, topics
}
