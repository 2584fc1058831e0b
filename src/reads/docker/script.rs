//! The script that asks a host's engine. Every answer ends with a line `@skep CODE PATH`; a JSON answer of the engine is one
//! line, so nothing in it can be taken for such an end.

use super::Look;

use crate::remote::quote;

/// What to ask of the engine: paths of its API, or the commands that say the same where there is no curl. A command takes 35 to
/// 65 ms whatever it asks, so each asks for all objects of a kind at once, and for the list only if one of them was not found.
struct Question {
    paths: Vec<String>,
    command: String,
}

const PRELUDE: &str = r#"s=/var/run/docker.sock
d=$(command -v docker) || d=
if [ -z "$d" ] && [ ! -S "$s" ]; then echo '@skep 404 docker'; exit 0; fi
echo
echo "@skep 200 binary:$(readlink -f "$d")"
if [ -n "$d" ] && [ "$(head -c 2 "$d" | tr -d '\0')" = '#!' ] && grep -q podman "$d"; then echo '@skep 200 podman'; fi
a() { p=$1; shift; "$@" 2>&1; c=$?; [ $c = 0 ] && c=200; echo; echo "@skep $c $p"; [ $c = 200 ]; }
"#;

pub(super) fn script(looks: &[Look]) -> String {
    let questions = questions(looks);
    let paths = questions.iter().flat_map(|question| &question.paths);
    let urls: String = paths.map(|path| format!(" {}", quote(&format!("http://d{path}")))).collect();
    let configs = if looks.contains(&Look::Configs) { CONFIGS_API } else { "" };
    let commands: String = questions.iter().map(|question| format!("{}\n", question.command)).collect();
    format!(
        "{PRELUDE}api() {{ curl -gsS --max-time 8 --unix-socket \"$s\" -w '\\n@skep %{{http_code}} %{{url_effective}}\\n' \"$@\" 2>&1; }}\n\
         cli() {{\n{commands}:\n}}\n\
         if command -v curl >/dev/null 2>&1 && api{urls}; then :{configs}; elif [ -n \"$d\" ]; then cli; fi\n{}exit 0\n",
        by_command(looks)
    )
}

/// What the engine's API does not tell in one answer, or in one that is far too long.
fn by_command(looks: &[Look]) -> String {
    let layers = looks.contains(&Look::Layers).then_some((LAYERS, ALL_LAYERS));
    let uses = looks.contains(&Look::Uses).then_some((USES, ALL_USES));
    let listed = looks.contains(&Look::Containers).then_some((LISTED, ALL_LISTED));
    let serving = [(SERVICES, ALL_SERVICES), (SERVICES_ASKED, ALL_SERVICES_ASKED)];
    let serving = serving.into_iter().filter(|_| looks.contains(&Look::Services));
    let asked = layers
        .into_iter()
        .chain(uses)
        .chain(listed)
        .chain(serving)
        .map(|(name, line)| format!("a {name} sh -c {}\n", quote(line)));
    let tasks = looks.iter().filter_map(|look| if let Look::NodeTasks(node) = look { Some(node) } else { None });
    let networks = looks.iter().any(|look| matches!(look, Look::Service(_))).then(service_networks);
    let services = looks.iter().filter_map(service).chain(networks);
    let stacks = looks.iter().filter_map(stack).chain(looks.iter().filter_map(remains)).chain(services);
    asked.chain(tasks.map(|node| node_tasks(node))).chain(stacks).collect()
}

/// The API tells of each task all that its service is made of, also of those that ended long ago.
fn node_tasks(node: &str) -> String {
    let format = r#"{"Name":{{json .Name}},"State":{{json .CurrentState}}}"#;
    let (name, node) = (node_tasks_name(node), quote(node));
    format!("a {} docker node ps --no-trunc --format {} {node}\n", quote(&name), quote(format))
}

pub(super) fn node_tasks_name(node: &str) -> String {
    format!("tasks:{node}")
}

fn questions(looks: &[Look]) -> Vec<Question> {
    let mut all =
        vec![Question { paths: vec![INFO.into()], command: format!("a {INFO} docker info --format '{{{{json .}}}}'") }];
    let names = |pick: fn(&Look) -> Option<&String>| looks.iter().filter_map(pick).collect::<Vec<_>>();
    all.extend(containers(&names(|look| if let Look::Container(name) = look { Some(name) } else { None })));
    all.extend(networks(&names(|look| if let Look::Network(name) = look { Some(name) } else { None })));
    all.extend(images(&names(|look| if let Look::Image(name) = look { Some(name) } else { None })));
    let volumes = names(|look| if let Look::Volume(name) = look { Some(name) } else { None });
    all.extend(self::volumes(&volumes));
    all.extend(volumes.into_iter().map(|name| volume_users(name)));
    if looks.contains(&Look::Nodes) {
        let list = quote("docker node ls -q | xargs -r docker node inspect --format '{{json .}}'");
        all.push(Question { paths: vec![NODES.into()], command: format!("a {NODES} sh -c {list}") });
    }
    if looks.contains(&Look::Secrets) {
        all.push(Question { paths: vec![SECRETS.into()], command: kept(SECRETS, "secret") });
    }
    if looks.contains(&Look::Configs) {
        all.push(Question { paths: Vec::new(), command: kept(CONFIGS, "config") });
    }
    all
}

fn containers(names: &[&String]) -> Option<Question> {
    let list = r#"docker ps -a --no-trunc --format '{"Id":"{{.ID}}","Names":["/{{.Names}}"]}'"#;
    question(names, container_list(names), "docker inspect --type container", (CONTAINERS, list), container_path)
}

fn networks(names: &[&String]) -> Option<Question> {
    let list = r#"docker network ls --no-trunc --format '{"Id":"{{.ID}}","Name":"{{.Name}}"}'"#;
    question(names, NETWORKS.into(), "docker network inspect --verbose", (NETWORKS, list), network_path)
}

fn images(names: &[&String]) -> Option<Question> {
    let list = r#"docker images -a --no-trunc --format '{"Id":"{{.ID}}","RepoTags":["{{.Repository}}:{{.Tag}}"]}'"#;
    question(names, IMAGES.into(), "docker inspect --type image", (IMAGES, list), image_path)
}

fn volumes(names: &[&String]) -> Option<Question> {
    let list = r#"docker volume ls --format '{"Name":"{{.Name}}"}'"#;
    question(names, volume_list(names), "docker volume inspect", (VOLUMES, list), volume_path)
}

/// A volume does not say who uses it: the containers do.
fn volume_users(name: &str) -> Question {
    let (path, filter) = (volume_users_path(name), quote(&format!("volume={name}")).into_owned());
    let list = format!(r#"docker ps -a --no-trunc --filter {filter} --format '{{"Names":["/{{{{.Names}}}}"]}}'"#);
    Question { command: format!("a {} {list}", quote(&path)), paths: vec![path] }
}

/// All secrets or configs, without what is in them.
fn kept(list: &str, sort: &str) -> String {
    let format = r#"{"ID":{{json .ID}},"CreatedAt":{{json .CreatedAt}},"Spec":{"Name":{{json .Spec.Name}},"Labels":{{json .Spec.Labels}}}}"#;
    format!("a {list} sh -c {}", quote(&inspected(sort, format)))
}

/// A list that fails must not look like an empty one: hence no pipe.
fn inspected(sort: &str, format: &str) -> String {
    format!(
        "all=$(docker {sort} ls -q) && {{ [ -z \"$all\" ] || docker {sort} inspect --format {} $all; }}",
        quote(format)
    )
}

fn question(
    names: &[&String],
    list_path: String,
    inspect: &str,
    (list, list_command): (&str, &str),
    path: fn(&str) -> String,
) -> Option<Question> {
    let words: String = names.iter().map(|name| format!(" {}", quote(name))).collect();
    let command = format!("a '{list}#' {inspect} --format '{{{{json .}}}}'{words} || a {list} {list_command}");
    let paths = [list_path].into_iter().chain(names.iter().map(|name| path(name))).collect();
    (!names.is_empty()).then_some(Question { paths, command })
}

pub(super) const NETWORKS: &str = "/networks";
pub(super) const IMAGES: &str = "/images/json";
pub(super) const VOLUMES: &str = "/volumes";
pub(super) const NODES: &str = "/nodes";
pub(super) const SECRETS: &str = "/secrets";
pub(super) const CONFIGS: &str = "/configs";
pub(super) const USES: &str = "uses";
pub(super) const INFO: &str = "/info";
pub(super) const LAYERS: &str = "layers";
pub(super) const LISTED: &str = "ps";
pub(super) const SERVICES: &str = "services";
pub(super) const SERVICES_ASKED: &str = "services-asked";

/// The engine's API gives layers image by image only; this is one answer for all.
const ALL_LAYERS: &str =
    "docker images -aq --no-trunc | sort -u | xargs -r docker image inspect --format '{{json .RootFS.Layers}}'";

/// The API gives services and tasks with all that was ever asked of them, some KiB each; this is what is looked at.
fn stack(look: &Look) -> Option<String> {
    let Look::Stack(name) = look else { return None };
    let filter = format!("label={STACK}={name}");
    let filter = quote(&filter);
    // A list that could not be had must not look like an empty one.
    let with_services =
        |then: String| format!("all=$(docker service ls -q --filter {filter}) && {{ [ -z \"$all\" ] || {then}; }}");
    let services = with_services(format!("docker service inspect --format {} $all", quote(SERVICE)));
    // `docker stack ps` fails where there are none.
    let tasks = with_services(format!("docker service ps --no-trunc --format {} $all", quote(TASK)));
    Some(format!(
        "a {} sh -c {}\na {} sh -c {}\n",
        quote(&stack_path(name)),
        quote(&services),
        quote(&tasks_path(name)),
        quote(&tasks)
    ))
}

/// A filter takes all names that begin like it, and `inspect` all ids: the very name is picked from the list.
fn service(look: &Look) -> Option<String> {
    let Look::Service(name) = look else { return None };
    let with_id = |then: String| {
        let filter = quote(&format!("name={name}")).into_owned();
        format!(
            "all=$(docker service ls --filter {filter} --format '{{{{.ID}}}} {{{{.Name}}}}') || exit 1\n\
             id=$(echo \"$all\" | while read -r i n; do [ \"$n\" != {} ] || echo \"$i\"; done)\n[ -z \"$id\" ] || {then} \"$id\"",
            quote(name)
        )
    };
    let both = SERVICE.strip_suffix('}').unwrap_or(SERVICE).to_owned() + r#","Spec":{{json .Spec}}}"#;
    let spec = with_id(format!("docker service inspect --format {}", quote(&both)));
    let tasks = with_id(format!("docker service ps --no-trunc --format {}", quote(TASK)));
    Some(format!(
        "a {} sh -c {}\na {} sh -c {}\n",
        quote(&service_path(name)),
        quote(&spec),
        quote(&service_tasks_path(name)),
        quote(&tasks)
    ))
}

/// A service names its networks by their ids.
fn service_networks() -> String {
    let format = r#"{"Id":{{json .ID}},"Name":{{json .Name}}}"#;
    format!("a {SERVICE_NETWORKS} docker network ls --no-trunc --format {}\n", quote(format))
}

pub(super) const SERVICE_NETWORKS: &str = "service-networks";

pub(super) fn service_path(name: &str) -> String {
    format!("service:{name}")
}

pub(super) fn service_tasks_path(name: &str) -> String {
    format!("service-tasks:{name}")
}

/// The sorts of things of a stack that are no services.
const REMAINS: [&str; 3] = ["network", "secret", "config"];

fn remains(look: &Look) -> Option<String> {
    let Look::Remains(name) = look else { return None };
    let filter = format!("label={STACK}={name}");
    let one = |sort: &str| {
        let list = format!("docker {sort} ls --filter {} --format {}", quote(&filter), quote(r#"{"Id":{{json .ID}}}"#));
        format!("a {} {list}\n", quote(&remains_path(sort, name)))
    };
    Some(REMAINS.map(one).concat())
}

pub(super) fn remains_path(sort: &str, name: &str) -> String {
    format!("stack-{sort}s:{name}")
}

/// The label by which Docker knows what is of a stack.
pub(super) const STACK: &str = "com.docker.stack.namespace";

const SERVICE: &str = r#"{"Id":{{json .ID}},"UpdatedAt":{{json .UpdatedAt}},"Name":{{json .Spec.Name}},"Labels":{{json .Spec.Labels}},"Image":{{json .Spec.TaskTemplate.ContainerSpec.Image}},"Env":{{json .Spec.TaskTemplate.ContainerSpec.Env}},"Mode":{{json .Spec.Mode}},"Restart":{{json .Spec.TaskTemplate.RestartPolicy}},"Update":{{json .UpdateStatus}}}"#;
const TASK: &str = r#"{"id":{{json .ID}},"name":{{json .Name}},"node":{{json .Node}},"desired":{{json .DesiredState}},"current":{{json .CurrentState}},"error":{{json .Error}}}"#;

pub(super) fn stack_path(name: &str) -> String {
    format!("stack:{name}")
}

pub(super) fn tasks_path(name: &str) -> String {
    format!("stack-tasks:{name}")
}
/// The list of configs has all that is in them, up to 1 MB each; nobody asks for that.
const CONFIGS_API: &str = r#"
api http://d/configs | sed -e 's/},"Data":"[^"]*"/}/g' -e 's/null,"Data":"[^"]*"/null/g'"#;

/// The API tells all of every service, twice where it was changed; of that only what it uses.
const ALL_USES: &str = r#"all=$(docker service ls -q) && { [ -z "$all" ] || docker service inspect --format '{"Name":{{json .Spec.Name}}{{with .Spec.TaskTemplate.ContainerSpec}},"Secrets":{{json .Secrets}},"Configs":{{json .Configs}}{{end}}}' $all; }"#;

/// The API gives of every container all its labels, mounts and networks, some KiB each; a host may have hundreds.
const ALL_LISTED: &str = r#"docker ps -a --no-trunc --format '{"Id":{{json .ID}},"Name":{{json .Names}},"Image":{{json .Image}},"State":{{json .State}},"Status":{{json .Status}},"Ports":{{json .Ports}},"Spark":{{json (.Label "skep.spark")}},"Forward":{{json (.Label "skep.forward")}},"Service":{{json (.Label "com.docker.swarm.service.name")}}}'"#;

/// How many tasks run is known to the list only; which stack a service is of, and how its update goes, to `inspect` only.
const ALL_SERVICES: &str = r#"docker service ls --format '{"Name":{{json .Name}},"Mode":{{json .Mode}},"Replicas":{{json .Replicas}},"Image":{{json .Image}},"Ports":{{json .Ports}}}'"#;
const ALL_SERVICES_ASKED: &str = r#"all=$(docker service ls -q) && { [ -z "$all" ] || docker service inspect --format '{"Name":{{json .Spec.Name}},"Labels":{{json .Spec.Labels}},"Update":{{json .UpdateStatus}},"Restart":{{json .Spec.TaskTemplate.RestartPolicy}}}' $all; }"#;

/// All containers; the engine picks those whose name is like one of `names`, for a host may have hundreds.
pub(super) const CONTAINERS: &str = "/containers/json";

fn container_list(names: &[&String]) -> String {
    format!("{CONTAINERS}?all=1&filters={}", filter("name", names))
}

/// Likewise: a host may have a thousand volumes that nobody gave a name.
fn volume_list(names: &[&String]) -> String {
    format!("{VOLUMES}?filters={}", filter("name", names))
}

fn filter<T: serde::Serialize>(by: &str, values: T) -> String {
    encoded(&serde_json::json!({ by: values }).to_string())
}

pub(super) fn container_path(name: &str) -> String {
    format!("/containers/{}/json", encoded(name))
}

pub(super) fn network_path(name: &str) -> String {
    format!("/networks/{}?verbose=true", encoded(name))
}

pub(super) fn volume_path(name: &str) -> String {
    format!("{VOLUMES}/{}", encoded(name))
}

/// No other list of containers is asked for with `size` in front.
pub(super) fn volume_users_path(name: &str) -> String {
    format!("{CONTAINERS}?size=0&all=1&filters={}", filter("volume", [name]))
}

pub(super) fn image_path(reference: &str) -> String {
    format!("/images/{}/json", encoded(reference))
}

/// Percent-encodes what a path cannot carry as it is; references keep their slashes and colons.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/:@".contains(&byte);
    text.bytes().map(|b| if plain(b) { (b as char).to_string() } else { format!("%{b:02X}") }).collect()
}
