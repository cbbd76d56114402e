#!/usr/bin/env bash
# Brings the broker's jars (Apache Kafka 4.4, about 43 MB) from Maven Central into a folder, once.
# Usage: scripts/kafka/fetch_jars.sh [FOLDER]     default: .run/kafka/libs
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$(realpath -m "${1:-$here/../../.run/kafka/libs}")  # Maven would take a relative one from the pom's folder
stamp=$folder/.complete
wanted=$(sha256sum <"$here/pom.xml" | cut -c1-64)
if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then exit 0; fi
command -v mvn >/dev/null || { echo "fetch_jars: mvn is missing. Run: make deps" >&2; exit 1; }
mkdir -p "$folder"
rm -f "$folder"/*.jar
echo "Kafka 4.4: fetching the broker's jars (43 MB) from Maven Central ..."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
    -DoutputDirectory="$folder" >"$log" 2>&1; then
  tail -n 15 "$log" >&2
  echo "fetch_jars: Maven could not bring the jars. Check the network or the mirror in ~/.m2/settings.xml," \
    "then run the same command again." >&2
  exit 1
fi
if ! compgen -G "$folder/kafka_2.13-*.jar" >/dev/null; then
  echo "fetch_jars: Maven reported success, but there is no broker in $folder." \
    "Remove the folder and run the same command again." >&2
  exit 1
fi
echo "$wanted" >"$stamp"
echo "Kafka 4.4: $(ls "$folder"/*.jar | wc -l) jars in $folder"
