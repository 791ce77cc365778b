#!/bin/sh
# Makes sure that nginx is installed for tests/it/nginx.rs, which runs deploy/nginx/ with a server of its own. Does
# nothing when one is there; where none can be installed, it says loudly what is left out.
set -eu

if command -v nginx >/dev/null 2>&1 || [ -x /usr/sbin/nginx ]; then
    exit 0
fi
skip() {
    echo "SKIPPED: $1; the tests of deploy/nginx/ do not run" >&2
    exit 0
}
command -v apt-get >/dev/null 2>&1 || skip "there is no nginx and no apt-get to install it"
as_root=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || skip "there is no nginx and no sudo to install it"
    as_root=sudo
fi
echo "installing nginx for the tests" >&2
$as_root apt-get update -qq >&2 || skip "nginx could not be installed"
# Debian starts what it installs, on port 80: not here.
[ -e /usr/sbin/policy-rc.d ] || {
    printf '#!/bin/sh\nexit 101\n' | $as_root tee /usr/sbin/policy-rc.d >/dev/null
    $as_root chmod +x /usr/sbin/policy-rc.d
    trap '$as_root rm -f /usr/sbin/policy-rc.d' EXIT
}
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends nginx-light >&2 ||
    skip "nginx could not be installed"
