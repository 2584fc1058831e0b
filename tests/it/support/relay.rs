//! A relay in front of a server, on a loopback port of its own: a network that cuts, stalls, delays, swallows and refuses.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;

/// The two directions of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From who connects to the server.
    Up,
    /// From the server to who connected.
    Down,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// In good order, as by a server that ends (FIN).
    Close,
    /// At once, as by a machine that was switched off and is on again (RST).
    Reset,
    /// It does not: nothing comes any more in this direction, as by a machine that was switched off.
    Silence,
}

/// What becomes of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Passage {
    /// They are passed on.
    #[default]
    Open,
    /// They wait, and so do those who send them.
    Stalled,
    /// They are taken and never seen again.
    Swallowed,
}

/// A relay; it and its connections end when it is dropped.
pub struct Relay {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    passages: [Passage; 2],
    delay: Duration,
    /// The next connections are cut there: in which direction, after how many bytes, how.
    limit: Option<(Way, u64, Fault)>,
    /// Only the next one is.
    only_next: bool,
    refuses: bool,
    listens: bool,
    over: bool,
    connections: usize,
    /// Bytes of all connections.
    passed: [u64; 2],
    last: Option<Way>,
    trips: usize,
    open: Vec<Arc<Line>>,
}

/// A connection.
struct Line {
    /// To who connected, and to the server.
    ends: [TcpStream; 2],
    /// Where it is to be cut.
    limit: Option<(Way, u64, Fault)>,
    /// Whether it was cut: then nothing more is said on it.
    cut: AtomicBool,
}

impl Relay {
    /// In front of the server on a port of 127.0.0.1.
    pub fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new() });
        let accepts = shared.clone();
        thread::spawn(move || accepts.accept(listener, port, server));
        Self { port, shared }
    }

    /// Ends every connection from now on after so many bytes in a direction.
    pub fn end_after(&self, way: Way, bytes: u64, how: Fault) {
        self.set(|state| (state.limit, state.only_next) = (Some((way, bytes, how)), false));
    }

    /// Ends only the next connection so.
    pub fn end_next_after(&self, way: Way, bytes: u64, how: Fault) {
        self.set(|state| (state.limit, state.only_next) = (Some((way, bytes, how)), true));
    }

    /// Cuts all connections that are open.
    pub fn cut(&self, how: Fault) {
        self.set(|state| state.open.drain(..).for_each(|line| line.cut(how)));
    }

    /// What becomes of the bytes in a direction.
    pub fn passage(&self, way: Way, passage: Passage) {
        self.set(|state| state.passages[way as usize] = passage);
    }

    /// Each byte takes so long in each direction.
    pub fn delay(&self, by: Duration) {
        self.set(|state| state.delay = by);
    }

    /// Whether nobody listens any more; connections that are open stay.
    pub fn refuse(&self, refuses: bool) {
        self.set(|state| state.refuses = refuses);
        // The listener goes, or is there again, a moment later.
        while self.shared.lock().listens == refuses {
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// How many connections it has seen.
    pub fn connections(&self) -> usize {
        self.shared.lock().connections
    }

    /// How many bytes it has passed on in a direction.
    pub fn passed(&self, way: Way) -> u64 {
        self.shared.lock().passed[way as usize]
    }

    /// How often who connected had to wait for the server before he said more.
    pub fn round_trips(&self) -> usize {
        self.shared.lock().trips
    }

    fn set(&self, what: impl FnOnce(&mut State)) {
        what(&mut self.shared.lock());
        self.shared.changed.notify_all();
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.set(|state| state.over = true);
        self.cut(Fault::Close);
    }
}

impl Line {
    fn cut(&self, how: Fault) {
        self.cut.store(how != Fault::Silence, Ordering::SeqCst);
        for end in &self.ends {
            let _ = match how {
                Fault::Silence => Ok(()),
                Fault::Close => end.shutdown(Shutdown::Both),
                // Who does not linger says RST when he closes, which is when nobody reads from it any more.
                Fault::Reset => SockRef::from(end).set_linger(Some(Duration::ZERO)).and(end.shutdown(Shutdown::Read)),
            };
        }
    }

    fn from(&self, way: Way) -> &TcpStream {
        &self.ends[way as usize]
    }

    fn to(&self, way: Way) -> &TcpStream {
        &self.ends[1 - way as usize]
    }

    /// How much of these bytes may pass, of which `before` have passed already, and whether it ends there, and how.
    fn part(&self, way: Way, before: u64, bytes: u64) -> (usize, Option<Fault>) {
        match self.limit {
            Some((limited, limit, how)) if limited == way && before + bytes >= limit => {
                (limit.saturating_sub(before) as usize, Some(how))
            }
            _ => (bytes as usize, None),
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Takes connections until it is over. While it refuses there is no listener.
    fn accept(self: Arc<Self>, listener: TcpListener, port: u16, server: u16) {
        listener.set_nonblocking(true).unwrap();
        let mut listener = Some(listener);
        while !self.lock().over {
            if self.lock().refuses {
                listener = None;
            } else if listener.is_none() {
                listener = TcpListener::bind(("127.0.0.1", port)).ok();
                listener.iter().for_each(|listener| listener.set_nonblocking(true).unwrap());
            }
            self.lock().listens = listener.is_some();
            match listener.as_ref().map(TcpListener::accept) {
                Some(Ok((client, _))) => self.clone().relay(client, server),
                _ => thread::sleep(Duration::from_millis(2)),
            }
        }
    }

    fn relay(self: Arc<Self>, client: TcpStream, server: u16) {
        client.set_nonblocking(false).unwrap();
        // A server that is down: whoever asked is turned away.
        let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { return };
        for socket in [&client, &server] {
            socket.set_nodelay(true).unwrap();
        }
        let line = self.begin([client, server]);
        for way in [Way::Up, Way::Down] {
            let (shared, line, (queue, due)) = (self.clone(), line.clone(), mpsc::sync_channel(64));
            let (reads, from) = (self.clone(), line.clone());
            thread::spawn(move || reads.read(&from, way, &queue));
            thread::spawn(move || shared.deliver(&line, way, due));
        }
    }

    /// Counts a connection, and says where it is to be cut.
    fn begin(&self, ends: [TcpStream; 2]) -> Arc<Line> {
        let mut state = self.lock();
        state.connections += 1;
        let line = Arc::new(Line { ends, limit: state.limit, cut: AtomicBool::new(false) });
        state.open.push(line.clone());
        if state.only_next {
            state.limit = None;
        }
        line
    }

    /// Reads what comes, and notes when it is due.
    fn read(&self, line: &Line, way: Way, queue: &SyncSender<(Instant, Vec<u8>)>) {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(length @ 1..) = line.from(way).read(&mut buffer) {
            let due = Instant::now() + self.lock().delay;
            if queue.send((due, buffer[..length].to_vec())).is_err() {
                return;
            }
        }
    }

    /// Passes on what was read when it is due, and then its end.
    fn deliver(&self, line: &Arc<Line>, way: Way, due: Receiver<(Instant, Vec<u8>)>) {
        let mut passed = 0;
        for (when, bytes) in due {
            thread::sleep(when.saturating_duration_since(Instant::now()));
            let (part, cut) = line.part(way, passed, bytes.len() as u64);
            passed += part as u64;
            if !self.pass(line, way, &bytes[..part]) {
                return;
            }
            if let Some(how) = cut {
                self.lock().open.retain(|open| how == Fault::Silence || !Arc::ptr_eq(open, line));
                return line.cut(how);
            }
        }
        if !line.cut.load(Ordering::SeqCst) {
            let _ = line.to(way).shutdown(Shutdown::Write);
        }
    }

    fn pass(&self, line: &Line, way: Way, bytes: &[u8]) -> bool {
        let mut state = self.lock();
        while state.passages[way as usize] == Passage::Stalled && !line.cut.load(Ordering::SeqCst) {
            state = self.changed.wait(state).unwrap();
        }
        if state.passages[way as usize] == Passage::Swallowed {
            return true;
        }
        state.passed[way as usize] += bytes.len() as u64;
        state.trips += usize::from(way == Way::Up && state.last == Some(Way::Down));
        state.last = Some(way);
        drop(state);
        !line.cut.load(Ordering::SeqCst) && line.to(way).write_all(bytes).is_ok()
    }
}
