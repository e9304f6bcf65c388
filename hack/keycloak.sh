#!/usr/bin/env bash
# Fetches Keycloak from Maven Central, builds its optimised form for the end-to-end tests, and
# prints the folder that holds it. Its program bin/keycloak starts it on loopback, with a database
# in memory and everything under /auth. Needs Java 17 and Maven (make tools). Takes a minute or two
# the first time, nothing after that. With --path it only prints the folder.
set -euo pipefail

version=26.7.3
sum=27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f # of the zip, sha256
plugin=org.apache.maven.plugins:maven-dependency-plugin:3.8.1
# What is fixed when it is built; the folder's name holds a hash of it.
options=(--db=dev-mem --http-relative-path=/auth --cache=local --features-disabled=admin)

hash=$(sha256sum "${BASH_SOURCE[0]}" | cut -c1-12)
dir=${XDG_CACHE_HOME:-$HOME/.cache}/doorward/keycloak-$version-$hash
if [ -e "$dir/complete" ] || [ "${1-}" = --path ]; then
  echo "$dir"
  exit
fi

echo "fetching and building Keycloak $version in $dir" >&2
rm -rf "$dir"
mkdir -p "$dir/bin"
mvn -q -B "$plugin:copy" -Dartifact="org.keycloak:keycloak-quarkus-dist:$version:zip" -DoutputDirectory="$dir" >&2
zip=$dir/keycloak-quarkus-dist-$version.zip
echo "$sum  $zip" | sha256sum --check --quiet >&2
unzip -q "$zip" -d "$dir"
rm "$zip"
home=$dir/keycloak-$version
sh "$home/bin/kc.sh" build "${options[@]}" >&2

# kc.sh starts Java as a child, which outlives it when it is killed: this becomes Java. The cheap
# compiler and collector halve the start.
cat >"$dir/bin/keycloak" <<END
#!/bin/sh
opens=java.base/java
exec java -Xms64m -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \\
  --add-opens=\$opens.util=ALL-UNNAMED --add-opens=\$opens.util.concurrent=ALL-UNNAMED \\
  --add-opens=\$opens.security=ALL-UNNAMED --add-opens=\$opens.lang=ALL-UNNAMED \\
  -Djava.util.concurrent.ForkJoinPool.common.threadFactory=io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory \\
  -Djava.util.logging.manager=org.jboss.logmanager.LogManager -Dpicocli.disable.closures=true \\
  -Dkc.config.built=true -Dkc.home.dir="$home" -Djboss.server.config.dir="$home/conf" \\
  -cp "$home/lib/quarkus-run.jar" io.quarkus.bootstrap.runner.QuarkusEntryPoint \\
  start --optimized --http-enabled=true --http-host=127.0.0.1 "\$@"
END
chmod +x "$dir/bin/keycloak"
touch "$dir/complete"
echo "$dir"
