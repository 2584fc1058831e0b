//! The way to the pages of one host: its login, and where its containers were when they were last looked at.

use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::time::{Duration, Instant, timeout};

use crate::actions::works_as;
use crate::cli::Failure;
use crate::cli::fleet::{self, Login};
use crate::cli::pages::{self, Page, Place};
use crate::inventory::Host;
use crate::remote::{Dial, Exec, Lost, Session, Tunnel};

/// How long a page may take to take a connection.
const DIAL: Duration = Duration::from_secs(10);
/// For how long what was seen of a host holds. Docker deals addresses anew when it starts again, and who has got a page's old
/// one may answer there, too.
const FRESH: Duration = Duration::from_secs(5);
/// How long a browser may wait to be told that all is as it was.
const GLANCE: Duration = Duration::from_secs(5);
/// How long a look for a page that is not where it was may take.
const LOOK: Duration = Duration::from_secs(60);

/// A host with pages, and the login on it; renewed when it is lost.
pub struct Link {
    /// The host.
    pub host: Arc<Host>,
    session: Mutex<Arc<dyn Session>>,
    /// Held during a look: who comes meanwhile waits for it, and needs none of his own.
    known: Mutex<Known>,
}

/// What is known of a host's pages.
struct Known {
    /// As the last look that could read them saw them.
    pages: Vec<Page>,
    /// Why the last look could not.
    unread: Option<String>,
    /// When the last look began.
    began: Instant,
    /// When it had ended.
    ended: Instant,
}

/// Why a page was not reached where it should be.
enum Mishap {
    /// The connection to its host is gone.
    Lost,
    /// Nobody answers at that place, and why: it may be elsewhere by now.
    Vain(Place, String),
    /// Another try would end no better.
    Final(String),
}

impl Link {
    /// The link to a host that was just logged in to, and the host's pages.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn look(host: Arc<Host>, session: Arc<dyn Session>) -> Result<(Arc<Self>, Vec<Page>), Failure> {
        let began = Instant::now();
        let pages = match pages_of(&host, &*session, LOOK).await {
            Ok(pages) => pages.map_err(Failure::failed)?,
            Err(lost) => return Err(fleet::no_answer(&lost)),
        };
        let known = Known { pages: pages.clone(), unread: None, began, ended: Instant::now() };
        Ok((Arc::new(Self { host, session: Mutex::new(session), known: Mutex::new(known) }), pages))
    }

    /// The login that holds now.
    pub async fn session(&self) -> Arc<dyn Session> {
        self.session.lock().await.clone()
    }

    /// Connects to a page. Where that fails its container may have been replaced, or the connection lost: looks again, once.
    ///
    /// # Errors
    /// Why the page does not answer, in words for a browser.
    pub async fn dial(&self, page: &Page, login: &Login<'_>) -> Result<Box<dyn Tunnel>, String> {
        let (came, session) = (Instant::now(), self.session().await);
        match self.first(page, came, &*session).await {
            Ok(tunnel) => Ok(tunnel),
            Err(Mishap::Final(why)) => Err(why),
            Err(Mishap::Vain(before, why)) => match self.seek(page, came, &*session).await? {
                now if now == before => Err(why),
                now => reach(&*session, &now).await,
            },
            Err(Mishap::Lost) => {
                let session = self.again(&session, login).await?;
                let now = self.seek(page, Instant::now(), &*session).await?;
                reach(&*session, &now).await
            }
        }
    }

    /// Connects to where the page is as far as is known. A host that does not answer at all is not waited for again and again.
    async fn first(&self, page: &Page, came: Instant, session: &dyn Session) -> Result<Box<dyn Tunnel>, Mishap> {
        let at = self.place(page, came, session).await?;
        match session.dial(&at.0, at.1, DIAL).await {
            Ok(tunnel) => Ok(tunnel),
            Err(Dial::Lost(_)) => Err(Mishap::Lost),
            Err(why @ (Dial::Closed | Dial::NoRoute(_))) => Err(Mishap::Vain(at, why.to_string())),
            Err(why @ (Dial::Silent(_) | Dial::Forbidden)) => Err(Mishap::Final(why.to_string())),
        }
    }

    /// Where a page is, as a look tells that is not old. Where there is no such look, the one before is the best that is known.
    async fn place(&self, page: &Page, came: Instant, session: &dyn Session) -> Result<Place, Mishap> {
        let mut known = self.known.lock().await;
        if known.is_old(page, came) {
            known.renew(&self.host, session, GLANCE).await.map_err(|_| Mishap::Lost)?;
        }
        match (known.find(page), &known.unread) {
            (None, Some(why)) => Err(Mishap::Final(why.clone())),
            _ => known.place(page).map_err(Mishap::Final),
        }
    }

    /// Where a page is, as a look tells that began no earlier than `since`.
    async fn seek(&self, page: &Page, since: Instant, session: &dyn Session) -> Result<Place, String> {
        let mut known = self.known.lock().await;
        if known.began < since {
            known.renew(&self.host, session, LOOK).await.map_err(|lost| lost.to_string())?;
        }
        match &known.unread {
            Some(why) => Err(why.clone()),
            None => known.place(page),
        }
    }

    /// Logs in anew, unless somebody else did meanwhile.
    async fn again(&self, lost: &Arc<dyn Session>, login: &Login<'_>) -> Result<Arc<dyn Session>, String> {
        let mut session = self.session.lock().await;
        if Arc::ptr_eq(&session, lost) {
            *session = login.to(&self.host).await.map_err(|error| error.to_string())?;
        }
        Ok(Arc::clone(&session))
    }
}

impl Known {
    /// Whether somebody who came then needs another look for this page. One that did not run may do so any moment.
    fn is_old(&self, page: &Page, came: Instant) -> bool {
        match self.find(page) {
            Some(_) => self.ended.elapsed() >= FRESH,
            None => self.began < came,
        }
    }

    /// Looks once more. That its pages cannot be read now is kept beside what was known before.
    async fn renew(&mut self, host: &Host, session: &dyn Session, within: Duration) -> Result<(), Lost> {
        let began = Instant::now();
        match pages_of(host, session, within).await? {
            Ok(pages) => (self.pages, self.unread) = (pages, None),
            Err(why) => self.unread = Some(why),
        }
        (self.began, self.ended) = (began, Instant::now());
        Ok(())
    }

    /// The page of the very container, else that of another task of its service.
    fn find(&self, page: &Page) -> Option<&Page> {
        let all = self.pages.iter().filter_map(|now| Some((now.succeeds(page)?, now)));
        all.max_by_key(|(same, _)| *same).map(|(_, now)| now)
    }

    fn place(&self, page: &Page) -> Result<Place, String> {
        let now = self.find(page).ok_or("its container does not run")?;
        now.at.clone().ok_or_else(|| "its host has no way to it".to_owned())
    }
}

async fn reach(session: &dyn Session, at: &Place) -> Result<Box<dyn Tunnel>, String> {
    session.dial(&at.0, at.1, DIAL).await.map_err(|error| error.to_string())
}

/// The pages of a host, or why they cannot be read.
///
/// # Errors
/// [`Lost`] where the connection itself is gone.
async fn pages_of(host: &Host, session: &dyn Session, within: Duration) -> Result<Result<Vec<Page>, String>, Lost> {
    let command = pages::look().by(works_as(host, None, None));
    let output = match timeout(within, session.exec(Exec::new(&command))).await {
        Ok(Ok(output)) => output,
        Ok(Err(lost)) if lost.is_cut() => return Err(lost),
        Ok(Err(other)) => return Ok(Err(other.to_string())),
        Err(_) => return Ok(Err(format!("cannot read its containers: no answer within {within:?}"))),
    };
    if !output.ok() {
        return Ok(Err(format!("cannot read its containers: {}", output.errors())));
    }
    // Not trimmed: the blank line in it has a meaning even where nothing stands before it.
    let pages = pages::read(&String::from_utf8_lossy(&output.stdout));
    Ok(pages.map_err(|error| format!("cannot read its containers: {error}")))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as Shared;

    use async_trait::async_trait;
    use futures::future::join_all;
    use tokio::time::{advance, sleep};

    use super::*;
    use crate::cli::testing::host;
    use crate::remote::{Connect, Live, Output, Unreachable};
    use crate::report::Paint;

    /// A login on a host whose Docker says `told`, or nothing, and where nobody has the address `empty`.
    #[derive(Default)]
    struct Far {
        told: Shared<Option<String>>,
        empty: Shared<String>,
        looks: Shared<usize>,
        dialled: Shared<Vec<String>>,
        cut: Shared<bool>,
    }

    impl Far {
        /// From now on the containers have these addresses.
        fn has(&self, containers: &[(&str, &str)]) {
            let row = |(name, address): &(&str, &str)| {
                let networks = format!(r#"{{"bridge":{{"IPAddress":"{address}"}}}}"#);
                let labels = r#"{"skep.forward":"It:80"}"#;
                format!(r#"{{"id":"{name}","name":"/{name}","labels":{labels},"ports":{{}},"networks":{networks}}}"#)
            };
            let rows: Vec<_> = containers.iter().map(row).collect();
            *self.told.lock().unwrap() = Some(format!("{}\n\n{{}}\n", rows.join("\n")));
        }

        fn looks(&self) -> usize {
            *self.looks.lock().unwrap()
        }

        /// Which addresses were dialled since this was asked last.
        fn dialled(&self) -> Vec<String> {
            std::mem::take(&mut *self.dialled.lock().unwrap())
        }

        fn lost(&self) -> Option<Lost> {
            self.cut.lock().unwrap().then(|| Lost::Connection("it hung up".into()))
        }
    }

    #[async_trait]
    impl Session for Far {
        async fn exec(&self, _: Exec<'_>) -> Result<Output, Lost> {
            if let Some(lost) = self.lost() {
                return Err(lost.unsent());
            }
            *self.looks.lock().unwrap() += 1;
            sleep(Duration::from_secs(1)).await;
            let told = self.told.lock().unwrap().clone();
            match told {
                Some(told) => Ok(Output { stdout: told.into_bytes(), ..Output::default() }),
                None => Ok(Output { code: 1, stderr: b"Cannot connect".to_vec(), ..Output::default() }),
            }
        }

        async fn dial(&self, address: &str, _: u16, _: Duration) -> Result<Box<dyn Tunnel>, Dial> {
            if let Some(lost) = self.lost() {
                return Err(Dial::Lost(lost));
            }
            self.dialled.lock().unwrap().push(address.to_owned());
            let nobody = *self.empty.lock().unwrap() == address;
            if nobody { Err(Dial::NoRoute("No route to host".into())) } else { Ok(Box::new(tokio::io::duplex(1).0)) }
        }

        async fn interrupt(&self) {}
        async fn close(&self) {}
    }

    /// Logs in to the same host again.
    struct Again(Arc<Far>);

    #[async_trait]
    impl Connect for Again {
        async fn connect(&self, _: &Host, _: Duration, _: Live) -> Result<Arc<dyn Session>, Unreachable> {
            let session: Arc<dyn Session> = self.0.clone();
            Ok(session)
        }
    }

    async fn linked(far: &Arc<Far>) -> (Arc<Link>, Vec<Page>) {
        let session: Arc<dyn Session> = far.clone();
        Link::look(Arc::new(host("node1")), session).await.expect("its pages")
    }

    /// Connects once; why it could not.
    async fn dial(link: &Link, page: &Page, again: &Again) -> Option<String> {
        let login = Login { connect: again, wait: Duration::ZERO, paint: Paint::new(false) };
        link.dial(page, &login).await.err()
    }

    #[tokio::test(start_paused = true)]
    async fn who_got_a_pages_old_address_is_not_taken_for_it() {
        let far = Arc::new(Far::default());
        far.has(&[("one", "172.18.0.2"), ("two", "172.18.0.3")]);
        let (link, pages) = linked(&far).await;
        let (two, one) = (&pages[0], &pages[1]);
        far.has(&[("one", "172.18.0.3"), ("two", "172.18.0.2")]);
        advance(FRESH).await;
        let again = Again(far.clone());
        assert_eq!((dial(&link, one, &again).await, dial(&link, two, &again).await), (None, None));
        assert_eq!((far.dialled(), far.looks()), (vec!["172.18.0.3".into(), "172.18.0.2".into()], 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_that_has_moved_is_looked_for_once() {
        let far = Arc::new(Far::default());
        far.has(&[("one", "172.18.0.2")]);
        let ((link, pages), again) = (linked(&far).await, Again(far.clone()));
        advance(Duration::from_millis(1)).await;
        *far.empty.lock().unwrap() = "172.18.0.2".into();
        far.has(&[("one", "172.18.0.4")]);
        let all = join_all((0..9).map(|_| dial(&link, &pages[0], &again))).await;
        assert_eq!((all, far.looks()), (vec![None; 9], 2), "who fails at the same time shares a look");
        far.dialled();
        assert_eq!(dial(&link, &pages[0], &again).await, None);
        assert_eq!((far.dialled(), far.looks()), (vec!["172.18.0.4".into()], 2));
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_answer_where_it_is_is_not_dialled_twice() {
        let far = Arc::new(Far::default());
        far.has(&[("one", "172.18.0.2")]);
        let ((link, pages), again) = (linked(&far).await, Again(far.clone()));
        advance(FRESH).await;
        *far.empty.lock().unwrap() = "172.18.0.2".into();
        assert_eq!(dial(&link, &pages[0], &again).await.as_deref(), Some("No route to host"));
        assert_eq!((far.dialled(), far.looks()), (vec!["172.18.0.2".into()], 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_docker_that_cannot_tell_keeps_nobody_from_a_page() {
        let far = Arc::new(Far::default());
        far.has(&[("one", "172.18.0.2")]);
        let ((link, pages), again) = (linked(&far).await, Again(far.clone()));
        *far.told.lock().unwrap() = None;
        advance(FRESH).await;
        let all = join_all((0..9).map(|_| dial(&link, &pages[0], &again))).await;
        assert_eq!((all, far.looks()), (vec![None; 9], 2), "and is not asked by each of them");
        assert_eq!(far.dialled(), ["172.18.0.2"; 9]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_container_that_stopped_has_no_page_until_it_runs_again() {
        let far = Arc::new(Far::default());
        far.has(&[("one", "172.18.0.2")]);
        let ((link, pages), again) = (linked(&far).await, Again(far.clone()));
        far.has(&[]);
        advance(FRESH).await;
        assert_eq!(dial(&link, &pages[0], &again).await.as_deref(), Some("its container does not run"));
        far.has(&[("one", "172.18.0.5")]);
        advance(Duration::from_millis(1)).await;
        assert_eq!(dial(&link, &pages[0], &again).await, None);
        assert_eq!(far.dialled(), ["172.18.0.5"], "nobody is dialled where it was");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_login_is_renewed_even_where_no_page_is_known() {
        let (far, next) = (Arc::new(Far::default()), Arc::new(Far::default()));
        far.has(&[("one", "172.18.0.2")]);
        let ((link, pages), again) = (linked(&far).await, Again(next.clone()));
        far.has(&[]);
        advance(FRESH).await;
        assert!(dial(&link, &pages[0], &again).await.is_some());
        *far.cut.lock().unwrap() = true;
        next.has(&[("one", "172.18.0.2")]);
        advance(FRESH).await;
        assert_eq!(dial(&link, &pages[0], &again).await, None);
        assert_eq!((far.dialled().len(), next.dialled()), (0, vec!["172.18.0.2".into()]));
    }
}
