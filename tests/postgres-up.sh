#!/bin/sh
# Makes sure that a PostgreSQL server is installed for the integration tests, which start their own throw-away
# clusters. Does nothing when one is there or when TOLLGATE_TEST_DATABASE_URL names a server.
set -eu

if [ -n "${TOLLGATE_TEST_DATABASE_URL:-}" ]; then
    exit 0
fi
for programs in /usr/lib/postgresql/*/bin; do
    if [ -x "$programs/initdb" ] && [ -x "$programs/postgres" ]; then
        exit 0
    fi
done
if command -v initdb >/dev/null 2>&1 && command -v postgres >/dev/null 2>&1; then
    exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "no PostgreSQL server found and no apt-get to install one: install it, or set TOLLGATE_TEST_DATABASE_URL" >&2
    exit 2
fi
as_root=
if [ "$(id -u)" -ne 0 ]; then
    as_root=sudo
fi
echo "installing PostgreSQL for the tests" >&2
$as_root apt-get update -qq >&2
# No cluster of the system's own: the tests make theirs.
$as_root mkdir -p /etc/postgresql-common/createcluster.d
echo 'create_main_cluster = false' | $as_root tee /etc/postgresql-common/createcluster.d/tollgate.conf >/dev/null
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends postgresql >&2
