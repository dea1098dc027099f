# Starts Garage as one node, with the keys and the bucket of a file that `secrets` of compose.yaml made.
set -eu
set -a
. /run/secrets/garage.env
set +a
exec garage -c /etc/garage.toml server --single-node --default-bucket
