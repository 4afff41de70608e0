# Turns the `acl` files that `enroll` and `certificate --client` leave into users of NATS:
#
#     cat publisher/acl collector/acl edge-*/acl | awk -f nats-users.awk > users.conf
#
# A level of a topic is a token of a subject. A client subscribes through subjects of the server's
# own below `$MQTT.sub`, and it may publish nowhere below `$MQTT`, where others' messages are stored.
# `allowed_connection_types` keeps the certificate from NATS's own protocol, where nobody would
# check a topic: these users have no password.

function flush() {
    if (user == "") return
    printf "  {\n    user: \"CN=%s\"\n    allowed_connection_types: [\"MQTT\"]\n", user
    printf "    permissions: {\n      publish: [%s]\n", writes
    printf "      subscribe: [\"$MQTT.sub.>\"%s]\n    }\n  }\n", reads
}

BEGIN { print "authorization {\n users: [" }

$1 == "user" { flush(); user = $2; writes = reads = "" }

$1 == "topic" {
    subject = $3
    gsub(/\//, ".", subject)
    gsub(/\+/, "*", subject)
    sub(/#$/, ">", subject)
    if ($2 ~ /write/) writes = writes (writes == "" ? "" : ", ") "\"" subject "\""
    if ($2 ~ /read/) reads = reads ", \"" subject "\""
}

END { flush(); print " ]\n}" }
