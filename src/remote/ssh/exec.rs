//! One command on one channel.
//!
//! What is requested is always the same short line; the script comes on standard input, ahead of the command's own input.
//! So neither the login shell's syntax (fish, csh), nor the kernel's limit for arguments, nor who reads `ps` matters.

use std::mem::take;
use std::sync::Arc;

use futures::FutureExt;
use russh::{ChannelMsg, Sig};
use tokio::io::{AsyncBufReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Duration, Instant, sleep_until, timeout};

use super::connection::Slot;
use super::output::{Lines, Preface, Tail};
use super::sudo::{Sudo, Way};
use crate::remote::{Command, Exec, Live, Lost, Output, Sink, Source, User, refusal};

/// A command that has ended may leave a child that holds its output: after this long without a word from it, we go.
const LINGER: Duration = Duration::from_secs(1);
/// However much such a child has to say.
const LONGEST_LINGER: Duration = Duration::from_secs(10);

/// How long sudo may take to ask or to let a command in: what it asks elsewhere may be slow, and a person has to nod.
const ANSWER: Duration = Duration::from_secs(60);

/// A command, ready to be sent.
pub(super) struct Job {
    pub user: User,
    sudo: Arc<Sudo>,
    way: Way,
    login: String,
    /// The script and the command's own input. It is sent again where sudo must be answered.
    input: Arc<Vec<u8>>,
    script: usize,
    mark: String,
    stdin: Option<Source>,
    stdout: Option<Sink>,
    stderr: Option<Sink>,
    live: Option<Live>,
    cap: usize,
}

impl Job {
    /// `login` is who logged in; `mark` is a line that no command writes.
    pub fn new(exec: Exec<'_>, login: &str, mark: &str, sudo: &Arc<Sudo>) -> Self {
        let mut input = script(exec.command, mark).into_bytes();
        let script = input.len();
        input.extend_from_slice(exec.command.input());
        let (user, login, mark) = (exec.command.user().clone(), login.to_owned(), mark.to_owned());
        let Exec { stdin, stdout, stderr, live, cap, .. } = exec;
        let (sudo, way, input) = (sudo.clone(), sudo.way(&user, stdin.is_some()), Arc::new(input));
        Self { user, sudo, way, login, input, script, mark, stdin, stdout, stderr, live, cap }
    }

    /// The same where there is no time for a refusal.
    pub fn at_once(self) -> Self {
        Self { way: self.sudo.way(&self.user, true), ..self }
    }
}

/// Says on both outputs that it has started, and in which process session (proc(5), field 6 of `stat`), which is how it can be
/// ended: sudo, `timeout` and job control make process groups of their own, but nothing here makes a session but sshd and sudo.
/// Messages in English, and the programs of administrators are found whoever runs it.
fn script(command: &Command, mark: &str) -> String {
    format!(
        "read -r REPLY </proc/$$/stat;set -- ${{REPLY##*) }};echo {mark};echo {mark} $4 >&2;shift $#;unset REPLY\n\
         export LC_ALL=C.UTF-8 PATH=\"$PATH:/usr/local/sbin:/usr/sbin:/sbin\"\n{}",
        command.wire()
    )
}

/// Runs `job` on `slot` to its end. `started` is told the process session.
pub(super) async fn run(slot: Slot, job: Job, started: impl FnOnce(u32) + Send) -> Result<Output, Lost> {
    let mut follow = Follow::new(slot, job, Some(started));
    let result = follow.run().await;
    if !follow.must_answer() {
        return result;
    }
    follow.again().await?.run().await
}

/// Sends the input from a task of its own, while the output is drained. An input that breaks off must not look like its end.
fn feed(slot: &Slot, job: &mut Job) -> (JoinHandle<()>, oneshot::Receiver<std::io::Error>) {
    let (tell, trouble) = oneshot::channel();
    let (input, source) = (job.input.clone(), job.stdin.take());
    let mut to = Box::pin(slot.write.make_writer());
    let feeder = tokio::spawn(async move {
        // Where the command takes no more, its exit status says the rest.
        if to.write_all(&input).await.is_err() {
            return;
        }
        match source {
            Some(source) => {
                if let Err(error) = pour(source, &mut to).await {
                    let _ = tell.send(error);
                }
            }
            None => drop(to.shutdown().await),
        }
    });
    (feeder, trouble)
}

/// All of `source`, then its end. Only what cannot be read is trouble.
async fn pour(source: Source, to: &mut (impl AsyncWrite + Unpin)) -> std::io::Result<()> {
    let mut source = BufReader::with_capacity(256 << 10, source);
    loop {
        let bytes = source.fill_buf().await?;
        let length = bytes.len();
        if length == 0 {
            let _ = to.shutdown().await;
            return Ok(());
        }
        if to.write_all(bytes).await.is_err() {
            return Ok(());
        }
        source.consume(length);
    }
}

/// What is known of a command under way.
struct Follow<F> {
    slot: Slot,
    job: Job,
    started: Option<F>,
    out: Stream,
    err: Stream,
    code: Option<i32>,
    ended: Option<Instant>,
    heard: Instant,
    /// Whether its output is all there: its end has come, or nobody says any more.
    whole: bool,
}

/// One of its two outputs.
struct Stream {
    preface: Preface,
    tail: Tail,
    lines: Lines,
}

impl Stream {
    fn new(job: &Job, told: bool) -> Self {
        let live = job.live.clone().filter(|_| told);
        Self { preface: Preface::new(&job.mark), tail: Tail::new(job.cap), lines: Lines::new(live) }
    }
}

enum Next {
    More,
    Done,
}

impl<F: FnOnce(u32)> Follow<F> {
    fn new(slot: Slot, job: Job, started: Option<F>) -> Self {
        let (out, err) = (Stream::new(&job, job.stdout.is_none()), Stream::new(&job, true));
        Self { slot, job, started, out, err, code: None, ended: None, heard: Instant::now(), whole: false }
    }

    async fn run(&mut self) -> Result<Output, Lost> {
        let line = self.job.sudo.request(&self.job.user, self.job.way, self.job.script)?;
        if self.job.way == Way::Asked {
            if !self.ask(line).await? {
                return self.result();
            }
        } else {
            self.request(line).await?;
        }
        let (feeder, trouble) = feed(&self.slot, &mut self.job);
        let result = self.follow(trouble).await;
        feeder.abort();
        result
    }

    async fn request(&mut self, line: String) -> Result<(), Lost> {
        for (name, value) in self.slot.connection.facts.environment() {
            // Which of them it sets is the host's to say (`AcceptEnv`), and it is not waited for.
            let _ = self.slot.write.set_env(false, name, value).await;
        }
        let sent = self.slot.write.exec(true, line.into_bytes()).await;
        sent.map_err(|_| self.slot.connection.lost().unsent())
    }

    /// Whether a sudo that may ask has let the command in.
    async fn ask(&mut self, line: String) -> Result<bool, Lost> {
        let sudo = self.job.sudo.clone();
        let _turn = sudo.turn().await?;
        self.request(line).await?;
        match timeout(ANSWER, self.let_in(&sudo)).await {
            Ok(let_in) => let_in,
            Err(_) => Err(Lost::Refused(refusal::silent(&self.job.user, &self.job.login, ANSWER, &self.said()))),
        }
    }

    /// Answers once. To be asked again is to be refused: then the question is left, for hosts count answers, and lock.
    /// (pam_faillock counts the question that is left, too; sudo offers no other way out.)
    async fn let_in(&mut self, sudo: &Sudo) -> Result<bool, Lost> {
        let mut answered = false;
        while let Some(message) = self.slot.read.wait().await {
            let next = self.take(message).await?;
            if self.err.preface.cut(sudo.lets()) {
                sudo.let_in(answered);
                return Ok(true);
            } else if self.err.preface.cut(sudo.asks()) {
                if std::mem::replace(&mut answered, true) {
                    return Err(sudo.refused());
                }
                self.slot.write.data(sudo.answer().as_bytes()).await.map_err(|_| self.slot.connection.lost())?;
            } else if matches!(next, Next::Done) {
                break;
            }
        }
        // Where nobody may try twice it does not ask again.
        if answered && refusal::was_wrong(&self.said()) { Err(sudo.refused()) } else { Ok(false) }
    }

    /// Whether sudo was told not to ask, but must, and there is an answer.
    fn must_answer(&self) -> bool {
        let unheard = self.err.preface.found.is_none();
        let refused = self.code.is_some_and(|code| refusal::wants_password(code, &self.said()));
        self.job.way == Way::Unasked && self.job.sudo.has_password() && unheard && refused
    }

    /// The same with an answer. Nothing of it was done, for not even its script was read. Its place is given up first: were
    /// all taken by such, each would wait for another.
    async fn again(self) -> Result<Self, Lost> {
        let Self { slot, job, started, .. } = self;
        job.sudo.asked_for(&job.user);
        let connection = slot.connection.clone();
        drop(slot);
        let slot = connection.slot().await.map_err(Lost::unsent)?;
        Ok(Self::new(slot, job.at_once(), started))
    }

    async fn follow(&mut self, trouble: oneshot::Receiver<std::io::Error>) -> Result<Output, Lost> {
        let mut trouble = trouble.fuse();
        loop {
            let patience = self.patience();
            let next = tokio::select! {
                message = self.slot.read.wait() => match message {
                    Some(message) => self.take(message).await?,
                    None => Next::Done,
                },
                Ok(error) = &mut trouble => {
                    return Err(Lost::Relay(format!("what it was to read broke off: {error}")));
                }
                () = sleep_until(patience.unwrap_or_else(Instant::now)), if patience.is_some() => self.lingered().await?,
            };
            if matches!(next, Next::Done) {
                self.deliver().await?;
                return self.result();
            }
        }
    }

    /// Until when to wait for more output of a command that has ended.
    fn patience(&self) -> Option<Instant> {
        let ended = self.ended?;
        let quiet = self.heard + LINGER;
        // What is passed on must be whole, so there only silence counts.
        Some(if self.job.stdout.is_some() { quiet } else { quiet.min(ended + LONGEST_LINGER) })
    }

    /// It was quiet for a while: an answer to a ping shows that the network did not hold its last words back.
    async fn lingered(&mut self) -> Result<Next, Lost> {
        if self.slot.connection.handle.send_ping().await.is_err() {
            return Err(self.slot.connection.lost());
        }
        let before = self.heard;
        while let Ok(Some(message)) = timeout(Duration::ZERO, self.slot.read.wait()).await {
            if matches!(self.take(message).await?, Next::Done) {
                return Ok(Next::Done);
            }
        }
        let overdue = self.ended.is_some_and(|ended| ended.elapsed() >= LONGEST_LINGER) && self.job.stdout.is_none();
        self.whole |= before == self.heard || overdue;
        Ok(if self.whole { Next::Done } else { Next::More })
    }

    async fn take(&mut self, message: ChannelMsg) -> Result<Next, Lost> {
        match message {
            ChannelMsg::Data { data } => self.write(&data).await?,
            ChannelMsg::ExtendedData { data, ext: 1 } => self.complain(&data).await?,
            ChannelMsg::ExitStatus { exit_status } => self.end(i32::try_from(exit_status).unwrap_or(i32::MAX)),
            ChannelMsg::ExitSignal { signal_name, .. } => self.end(128 + number(&signal_name)),
            ChannelMsg::Failure => {
                return Err(Lost::Refused("the host's sshd runs no commands for this user".into()));
            }
            ChannelMsg::Eof => self.whole = true,
            ChannelMsg::Close => {
                self.whole = true;
                return Ok(Next::Done);
            }
            _ => {}
        }
        Ok(Next::More)
    }

    /// Hands over what is left of the output, and tells its takers that this was all. Who fails may have said but half of it.
    async fn deliver(&mut self) -> Result<(), Lost> {
        let Some(code) = self.code.filter(|_| self.whole) else { return Ok(()) };
        for sink in [&mut self.job.stdout, &mut self.job.stderr].into_iter().flatten() {
            hand_over(sink, code).await.map_err(|error| undelivered(&error))?;
        }
        Ok(())
    }

    fn end(&mut self, code: i32) {
        self.code = Some(code);
        self.ended = Some(Instant::now());
        self.heard = Instant::now();
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Lost> {
        let own = self.out.preface.pass(bytes);
        self.out.lines.push(&own);
        match &mut self.job.stdout {
            Some(sink) => pass_on(sink, &own).await?,
            None => self.out.tail.push(&own),
        }
        self.heard = Instant::now();
        Ok(())
    }

    async fn complain(&mut self, bytes: &[u8]) -> Result<(), Lost> {
        let waiting = self.err.preface.found.is_none();
        let own = self.err.preface.pass(bytes);
        self.err.lines.push(&own);
        self.err.tail.push(&own);
        self.heard = Instant::now();
        if waiting
            && let Some(session) = self.err.preface.found.as_ref().and_then(|rest| rest.parse().ok())
            && let Some(started) = self.started.take()
        {
            started(session);
        }
        match &mut self.job.stderr {
            Some(sink) => pass_on(sink, &own).await,
            None => Ok(()),
        }
    }

    fn result(&mut self) -> Result<Output, Lost> {
        self.out.lines.tell();
        self.err.lines.tell();
        let Some(code) = self.code.filter(|_| self.whole) else { return Err(self.cut()) };
        if self.err.preface.found.is_none() {
            return Err(self.never_started(code));
        }
        Ok(Output { code, stdout: take(&mut self.out.tail).finish(), stderr: take(&mut self.err.tail).finish() })
    }

    /// No exit status is never a success; nor is one whose output may go on behind a cut.
    fn cut(&self) -> Lost {
        match self.slot.connection.facts.gone() {
            Some(why) => Lost::Connection(why),
            None => Lost::Connection("the host closed the channel without saying how the command ended".into()),
        }
    }

    fn never_started(&self, code: i32) -> Lost {
        Lost::Refused(refusal::explain(&self.job.user, &self.job.login, code, &self.said()))
    }

    /// What was said before the command.
    fn said(&self) -> String {
        [self.err.preface.before(), self.out.preface.before()].join("\n").trim().to_owned()
    }
}

async fn pass_on(sink: &mut Sink, bytes: &[u8]) -> Result<(), Lost> {
    sink.write_all(bytes).await.map_err(|error| undelivered(&error))
}

/// All that was passed on is where it belongs: standard output is written behind our back, and has nothing to shut down.
async fn hand_over(sink: &mut Sink, code: i32) -> std::io::Result<()> {
    sink.flush().await?;
    if code == 0 { sink.shutdown().await } else { Ok(()) }
}

fn undelivered(error: &std::io::Error) -> Lost {
    Lost::Relay(format!("its output could not be passed on: {error}"))
}

/// Numbers of signal(7) on every architecture that matters here.
fn number(signal: &Sig) -> i32 {
    match signal {
        Sig::HUP => 1,
        Sig::INT => 2,
        Sig::QUIT => 3,
        Sig::ILL => 4,
        Sig::ABRT => 6,
        Sig::FPE => 8,
        Sig::KILL => 9,
        Sig::USR1 => 10,
        Sig::SEGV => 11,
        Sig::PIPE => 13,
        Sig::ALRM => 14,
        Sig::TERM => 15,
        Sig::Custom(_) => 127,
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use super::*;

    /// A full disk behind a buffer, which like tokio's standard output does nothing when it is shut down.
    struct Full;

    impl AsyncWrite for Full {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Err(io::ErrorKind::StorageFull.into()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn what_is_not_written_at_the_end_is_seen_whatever_the_code() {
        for code in [0, 7] {
            let handed = hand_over(&mut (Box::new(Full) as Sink), code).await;
            assert_eq!(handed.map_err(|error| error.kind()), Err(io::ErrorKind::StorageFull), "{code}");
        }
    }

    #[tokio::test]
    async fn who_takes_no_more_input_says_why_himself() {
        let (mut near, far) = tokio::io::duplex(9);
        drop(far);
        let poured = pour(Box::new(std::io::Cursor::new(vec![0; 99])), &mut near).await;
        assert!(poured.is_ok(), "{poured:?}");
    }
}
