[ ! -d /etc/skep ] || echo 'files /etc/skep /etc/skep'
engine='docker-ce docker-ce-cli docker-ce-rootless-extras docker-buildx-plugin docker-compose-plugin containerd.io docker.io docker-cli docker-buildx containerd'
dpkg-query -W -f '${db:Status-Abbrev}package ${Package} ${Package}\n' $engine 2>/dev/null | sed -n 's/^[ih]i *package/package/p'
command -v docker >/dev/null || exit 0
ids=$(docker ps --all --quiet --no-trunc --filter label=skep.digest) || exit
[ -z "$ids" ] || docker inspect --format 'container {{.Id}} {{.Name}}
image {{.Image}} {{.Config.Image}}{{range .Mounts}}{{if eq .Type "volume"}}
volume {{.Name}} {{.Name}}{{end}}{{end}}{{range $name, $network := .NetworkSettings.Networks}}
network {{$network.NetworkID}} {{$name}}{{end}}' $ids || exit
docker ps --no-trunc --format '{{if or (.Label "skep.digest") (.Label "com.docker.swarm.task.id")}}{{else}}other {{.ID}} {{.Names}}{{end}}' || exit
docker network ls --no-trunc --filter type=custom --format '{{.Scope}} {{.ID}} {{.Name}}' || exit
stack=com.docker.stack.namespace
docker network ls --no-trunc --filter label=$stack --format "stacknet {{.ID}} {{.Label \"$stack\"}} {{.Name}}" || exit
docker volume ls --filter label=$stack --format "stackvolume {{.Name}} {{.Label \"$stack\"}} {{.Name}}" || exit
docker image ls --no-trunc --filter label=skep.context --format 'image {{.ID}} {{.Repository}}:{{.Tag}}' || exit
docker info --format 'is {{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}
self {{.Swarm.NodeID}} self' || exit
ids=$(docker service ls --quiet 2>/dev/null) || exit 0
own='{{$own := ""}}{{range $name, $value := .Spec.Labels}}{{if eq $name "skep.labels"}}{{$own = "yes"}}{{end}}{{end}}'
net='{{range .Spec.TaskTemplate.Networks}}
NET {{.Target}} of a service{{end}}'
ours=$(echo "$net" | sed s/NET/network/) theirs=$(echo "$net" | sed s/NET/othernet/)
is="{{if index .Spec.Labels \"skep.asked\"}}stacked {{.ID}} {{index .Spec.Labels \"$stack\"}} {{.Spec.Name}}$ours"
[ -z "$ids" ] || docker service inspect --format "$own$is{{else if \$own}}served {{.ID}} {{.Spec.Name}}$ours{{else}}service {{.ID}} {{.Spec.Name}}$theirs{{end}}" $ids || exit
docker secret ls --filter label=skep.digest --format 'secret {{.ID}} {{.Name}}' || exit
docker config ls --filter label=skep.digest --format 'config {{.ID}} {{.Name}}' || exit
docker node ls --format 'node {{.ID}} {{.Hostname}}' || exit
echo services read whole
