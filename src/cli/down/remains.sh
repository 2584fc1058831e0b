[ ! -d /etc/skep ] || echo 'files /etc/skep /etc/skep'
command -v docker >/dev/null || exit 0
ids=$(docker ps --all --quiet --no-trunc --filter label=skep.digest) || exit
[ -z "$ids" ] || docker inspect --format 'container {{.Id}} {{.Name}}
image {{.Image}} {{.Config.Image}}{{range .Mounts}}{{if eq .Type "volume"}}
volume {{.Name}} {{.Name}}{{end}}{{end}}{{range $name, $network := .NetworkSettings.Networks}}
network {{$network.NetworkID}} {{$name}}{{end}}' $ids || exit
docker network ls --no-trunc --filter type=custom --format '{{.Scope}} {{.ID}} {{.Name}}' || exit
docker image ls --no-trunc --filter label=skep.context --format 'image {{.ID}} {{.Repository}}:{{.Tag}}' || exit
docker info --format 'is {{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}' || exit
docker service ls --format 'service {{.ID}} {{.Name}}' 2>/dev/null && echo services read whole || :
