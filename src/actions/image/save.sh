set -e
@SCRATCH@
@SAVE@ | tar -xf - -C "$d"
[ -s "$d/manifest.json" ]
n=0
for f in $(sed 's/.*"Layers":\[\([^]]*\)\].*/\1/; s/[",]/ /g' "$d/manifest.json"); do
  n=$((n + 1))
  [ "$n" -gt @WITHOUT@ ] || rm -f "$d/$f"
done
tar -cf - -C "$d" .