//! Which page a name means, and which port its user chose for it.

use crate::cli::Failure;
use crate::cli::pages::Page;

/// A part of a page's name, and the port that it is to have here.
pub type Choice = (String, u16);

/// A page, and the name of its host.
pub type Found<'a> = (&'a str, &'a Page);

/// Reads `name=port`.
///
/// # Errors
/// It is something else.
pub fn port(text: &str) -> Result<Choice, String> {
    let pair = text.split_once('=').and_then(|(name, port)| Some((name.trim().to_owned(), port.parse().ok()?)));
    pair.filter(|(name, _)| !name.is_empty()).ok_or_else(|| "write it as name=port".into())
}

/// Whether a user means this page by that name.
pub fn is(page: &Page, name: &str) -> bool {
    let name = name.to_lowercase();
    page.name.to_lowercase().contains(&name) || page.container.to_lowercase().contains(&name)
}

/// Whether the choices can be had at all: known before anybody is contacted.
///
/// # Errors
/// A name, or a port, was given twice.
pub fn check(choices: &[Choice]) -> Result<(), Failure> {
    for (nth, (name, port)) in choices.iter().enumerate() {
        let before = &choices[..nth];
        if before.iter().any(|(other, _)| other.to_lowercase() == name.to_lowercase()) {
            return Err(Failure::bad_input(format!("--port gives {name} two ports")).hint("name each page once"));
        }
        // 0 is whichever port the system gives.
        if *port != 0 && before.iter().any(|(_, other)| other == port) {
            let text = format!("--port gives port {port} to two pages");
            return Err(Failure::bad_input(text).hint("give each page a port of its own"));
        }
    }
    Ok(())
}

/// The port that was chosen for each page, where one was. A name that means none is told of only where some hosts gave no
/// answer: it may be a page of theirs, and they keep nobody's pages away.
///
/// # Errors
/// A name means no page, or several, or one that another name means, too.
pub fn ports(choices: &[Choice], found: &[Found<'_>], whole: bool) -> Result<Vec<Option<u16>>, Failure> {
    let mut ports = vec![None; found.len()];
    for (name, port) in choices {
        let meant = meant(name, found);
        match meant[..] {
            [] if !whole => tracing::warn!("--port {name}={port} means none of the pages that were found"),
            [] => return Err(nothing(name, found)),
            [nth] if ports[nth].is_some() => return Err(twice(name, found[nth])),
            [nth] => ports[nth] = Some(*port),
            _ => return Err(several(name, meant.iter().map(|nth| found[*nth]))),
        }
    }
    Ok(ports)
}

/// Which pages are called so; where none is, those that have it in their name, or in their container's.
fn meant(name: &str, found: &[Found<'_>]) -> Vec<usize> {
    let whole = name.to_lowercase();
    let exact = which(found, |page| page.name.to_lowercase() == whole || page.container.to_lowercase() == whole);
    if exact.is_empty() { which(found, |page| is(page, name)) } else { exact }
}

fn which(found: &[Found<'_>], test: impl Fn(&Page) -> bool) -> Vec<usize> {
    found.iter().enumerate().filter(|(_, (_, page))| test(page)).map(|(nth, _)| nth).collect()
}

fn nothing(name: &str, found: &[Found<'_>]) -> Failure {
    let pages = places(found.iter().copied());
    Failure::failed(format!("--port {name}: no page is called that; there are {pages}"))
        .hint("say a part of a page's name, or of its container's: --port NAME=PORT")
}

fn several<'a>(name: &str, meant: impl Iterator<Item = Found<'a>>) -> Failure {
    Failure::failed(format!("--port {name}: several pages are called that: {}", places(meant)))
        .hint("say more of a page's name, or of its container's; or on which hosts to look: --limit PATTERN")
}

fn twice(name: &str, page: Found<'_>) -> Failure {
    Failure::failed(format!("--port {name}: {} is given a port by another name, too", place(page)))
        .hint("name each page once")
}

/// What people can tell pages apart by.
pub fn places<'a>(pages: impl Iterator<Item = Found<'a>>) -> String {
    pages.map(place).collect::<Vec<_>>().join(", ")
}

fn place((host, page): Found<'_>) -> String {
    format!("{} ({} on {host})", page.name, page.container)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Code;

    /// What comes of choices where these pages are.
    fn chosen(choices: &[&str], whole: bool) -> Result<Vec<Option<u16>>, String> {
        let pages = [
            Page::of("Spark master", "spark-master", 8080),
            Page::of("JupyterLab", "spark-driver", 8888),
            Page::of("Spark worker 1", "spark-worker-1", 8081),
            Page::of("Spark worker 10", "spark-worker-10", 8081),
        ];
        let choices: Vec<_> = choices.iter().map(|text| port(text).expect("a choice")).collect();
        let found: Vec<_> = pages.iter().map(|page| ("node1", page)).collect();
        ports(&choices, &found, whole).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_page_is_meant_by_its_name_or_a_part_of_it() {
        let ports = chosen(&["jupyter=9999", "spark worker 1=9998"], true);
        assert_eq!(ports, Ok(vec![None, Some(9999), Some(9998), None]), "the whole name goes before a part of another");
        assert_eq!(chosen(&["driver=9999"], true), Ok(vec![None, Some(9999), None, None]), "its container's will do");
    }

    #[test]
    fn a_name_of_no_page_is_told_with_the_names_that_there_are() {
        let told = chosen(&["jupyer=9999"], true).expect_err("a mistake");
        let begins = "--port jupyer: no page is called that; there are Spark master (spark-master on node1), Jupyter";
        assert!(told.starts_with(begins), "{told}");
        assert_eq!(chosen(&["jupyer=9999"], false), Ok(vec![None; 4]), "it may be a page of a host that is silent");
    }

    #[test]
    fn a_name_of_several_pages_is_told_with_theirs() {
        let told = chosen(&["master=9998", "worker=9999"], true).expect_err("a mistake");
        let pages = "Spark worker 1 (spark-worker-1 on node1), Spark worker 10 (spark-worker-10 on node1)";
        assert_eq!(told, format!("--port worker: several pages are called that: {pages}"));
    }

    #[test]
    fn two_names_of_one_page_are_told() {
        let told = chosen(&["jupyter=9998", "driver=9999"], true).expect_err("a mistake");
        assert_eq!(told, "--port driver: JupyterLab (spark-driver on node1) is given a port by another name, too");
    }

    #[test]
    fn what_is_given_twice_is_bad_input() {
        let checked = |choices: [&str; 2]| {
            let choices = choices.map(|text| port(text).expect("a choice"));
            check(&choices).map_err(|failure| (failure.code(), failure.to_string()))
        };
        assert_eq!(checked(["a=1", "A=2"]), Err((Code::BadInput, "--port gives A two ports".into())));
        assert_eq!(checked(["a=1", "b=1"]), Err((Code::BadInput, "--port gives port 1 to two pages".into())));
        assert_eq!((checked(["a=0", "b=0"]), checked(["a=1", "b=2"])), (Ok(()), Ok(())));
        assert!(["=9999", "a", "a=", "a=99999"].into_iter().all(|text| port(text).is_err()));
    }
}
