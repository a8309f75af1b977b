//! Passwords: Argon2id in PHC string form, on a few threads of its own that reuse their memory. The queue is bounded and
//! answers [`Busy`] rather than starve everything else; devices on which somebody signed in before have slots of their own
//! (rules D1). An unknown user costs the same evaluation as a known one.

use super::hash::equal;
use crate::ports::Entropy;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Longest password that is hashed, in bytes; a longer one matches nothing.
pub const MAX_PASSWORD: usize = 1024;
/// Highest memory cost accepted from a stored hash, in KiB.
const MAX_MEMORY: u32 = 1 << 20;
const SALT: usize = 16;
const OUT: usize = 32;

/// Which queue a caller stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// A device on which this person signed in before.
    Known,
    /// Everybody else.
    Unknown,
}

/// Too many are waiting; try again in a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many sign-ins are being checked")]
pub struct Busy;

/// What a check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The password is right.
    pub matches: bool,
    /// It is right, and stored with other parameters than today's: hash it again and store that.
    pub rehash: bool,
}

/// Costs and sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HasherOptions {
    /// Memory in KiB.
    pub memory: u32,
    /// Passes.
    pub passes: u32,
    /// Threads.
    pub threads: usize,
    /// Places in the queue of unknown devices.
    pub queue: usize,
    /// Places in the queue of known devices.
    pub reserved: usize,
}

impl HasherOptions {
    /// The usual queues for `threads` threads: a second or so of waiting at most.
    #[must_use]
    pub fn new(memory: u32, passes: u32, threads: usize) -> Self {
        let threads = threads.max(1);
        Self { memory, passes, threads, queue: 16 * threads, reserved: 8 * threads }
    }
}

/// The pool. Cheap to clone; its threads end with the last clone.
#[derive(Clone, Debug)]
pub struct Hasher(Arc<Handle>);

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    options: HasherOptions,
    entropy: Entropy,
    dummy: String,
}

#[derive(Debug, Default)]
struct Shared {
    queues: Mutex<Queues>,
    work: Condvar,
    evaluations: AtomicU64,
    /// Memory times passes of all evaluations.
    spent: AtomicU64,
    /// Memory times passes of the dearest hash met so far: what every evaluation costs, so that a hash stored under other
    /// settings cannot be told by its time from a name that nobody has.
    dearest: AtomicU64,
}

#[derive(Debug, Default)]
struct Queues {
    known: VecDeque<Job>,
    unknown: VecDeque<Job>,
    last_was_known: bool,
    closed: bool,
}

struct Job {
    password: Vec<u8>,
    phc: Phc,
    reply: oneshot::Sender<Option<[u8; OUT]>>,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job(…)")
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        lock(&self.shared).closed = true;
        self.shared.work.notify_all();
    }
}

fn lock(shared: &Shared) -> MutexGuard<'_, Queues> {
    shared.queues.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hasher {
    /// Starts the threads; they take memory with their first password.
    ///
    /// # Errors
    /// When the parameters make no Argon2 (memory under 8 KiB, no pass) or a thread cannot be started.
    pub fn start(options: HasherOptions, entropy: Entropy) -> Result<Self, super::CryptoError> {
        let bad = |e: &dyn std::fmt::Display| super::CryptoError(format!("password hashing: {e}"));
        Params::new(options.memory, options.passes, 1, Some(OUT)).map_err(|e| bad(&e))?;
        let shared = Arc::new(Shared::default());
        shared.dearest.store(cost(options.memory, options.passes), Ordering::SeqCst);
        for n in 0..options.threads.max(1) {
            let shared = shared.clone();
            let thread = std::thread::Builder::new().name(format!("argon2-{n}"));
            thread.spawn(move || worker(&shared)).map_err(|e| bad(&e))?;
        }
        let dummy = Phc { memory: options.memory, passes: options.passes, salt: entropy.bytes(), hash: [0; OUT] }.to_text();
        Ok(Self(Arc::new(Handle { shared, options, entropy, dummy })))
    }

    /// How many evaluations of Argon2 were made: tests hold known and unknown names against it.
    #[must_use]
    pub fn evaluations(&self) -> u64 {
        self.0.shared.evaluations.load(Ordering::SeqCst)
    }

    /// What the evaluations cost together, in KiB times passes: tests hold known and unknown names against it.
    #[must_use]
    pub fn spent(&self) -> u64 {
        self.0.shared.spent.load(Ordering::SeqCst)
    }

    /// Checks a password. Give `None` for a person who does not exist or has no password: it costs the same and never
    /// matches.
    ///
    /// # Errors
    /// [`Busy`] when the queue is full.
    pub async fn verify(&self, lane: Lane, password: &str, phc: Option<&str>) -> Result<Verdict, Busy> {
        let stored = phc.and_then(Phc::parse).filter(|_| password.len() <= MAX_PASSWORD);
        let known = stored.is_some();
        let phc = stored.or_else(|| Phc::parse(&self.0.dummy)).ok_or(Busy)?;
        let (expected, current) = (phc.hash, self.is_current(&phc));
        let short = password.as_bytes().get(..MAX_PASSWORD).unwrap_or(password.as_bytes());
        let hash = self.evaluate(lane, short.to_vec(), phc).await?;
        let matches = hash.is_some_and(|hash| equal(&hash, &expected)) & known;
        Ok(Verdict { matches, rehash: matches && !current })
    }

    /// Hashes a new password; gives the PHC string to store.
    ///
    /// # Errors
    /// [`Busy`] when the queue is full, or the password is longer than [`MAX_PASSWORD`] (check that before).
    pub async fn hash(&self, lane: Lane, password: &str) -> Result<String, Busy> {
        if password.len() > MAX_PASSWORD {
            return Err(Busy);
        }
        let mut phc =
            Phc { memory: self.0.options.memory, passes: self.0.options.passes, salt: self.0.entropy.bytes(), hash: [0; OUT] };
        phc.hash = self.evaluate(lane, password.as_bytes().to_vec(), phc.clone()).await?.ok_or(Busy)?;
        Ok(phc.to_text())
    }

    fn is_current(&self, phc: &Phc) -> bool {
        (phc.memory, phc.passes) == (self.0.options.memory, self.0.options.passes)
    }

    async fn evaluate(&self, lane: Lane, password: Vec<u8>, phc: Phc) -> Result<Option<[u8; OUT]>, Busy> {
        let (reply, answer) = oneshot::channel();
        {
            let mut queues = lock(&self.0.shared);
            let (queue, places) = match lane {
                Lane::Known => (&mut queues.known, self.0.options.reserved),
                Lane::Unknown => (&mut queues.unknown, self.0.options.queue),
            };
            if queue.len() >= places {
                return Err(Busy);
            }
            queue.push_back(Job { password, phc, reply });
        }
        self.0.shared.work.notify_one();
        answer.await.map_err(|_| Busy)
    }
}

impl Queues {
    /// Known devices first, but never twice in a row while others wait.
    fn next(&mut self) -> Option<Job> {
        let known_turn = !self.last_was_known || self.unknown.is_empty();
        let job = if known_turn { self.known.pop_front() } else { None };
        self.last_was_known = job.is_some();
        job.or_else(|| self.unknown.pop_front())
    }
}

fn worker(shared: &Shared) {
    let mut memory: Vec<Block> = Vec::new();
    loop {
        let job = {
            let mut queues = lock(shared);
            loop {
                if let Some(job) = queues.next() {
                    break job;
                }
                if queues.closed {
                    return;
                }
                queues = shared.work.wait(queues).unwrap_or_else(PoisonError::into_inner);
            }
        };
        // Nobody waits for it any more: the caller hung up.
        if job.reply.is_closed() {
            continue;
        }
        shared.evaluations.fetch_add(1, Ordering::SeqCst);
        let hash = argon2id(&job.password, &job.phc, &mut memory);
        let own = cost(job.phc.memory, job.phc.passes);
        let dearest = shared.dearest.fetch_max(own, Ordering::SeqCst);
        let filler = filler(dearest.saturating_sub(own), &job.phc);
        if let Some(filler) = &filler {
            std::hint::black_box(argon2id(&job.password, filler, &mut memory));
        }
        let filled = filler.map_or(0, |filler| cost(filler.memory, filler.passes));
        shared.spent.fetch_add(own + filled, Ordering::SeqCst);
        let _ = job.reply.send(hash);
    }
}

fn cost(memory: u32, passes: u32) -> u64 {
    u64::from(memory) * u64::from(passes)
}

/// Work of about `missing` KiB times passes, to be thrown away. Memory stays that of the hash: more of it may not be there.
fn filler(missing: u64, phc: &Phc) -> Option<Phc> {
    let passes = (missing + u64::from(phc.memory) / 2) / u64::from(phc.memory.max(1));
    let passes = u32::try_from(passes).unwrap_or(u32::MAX);
    (passes > 0).then(|| Phc { passes, ..phc.clone() })
}

fn argon2id(password: &[u8], phc: &Phc, memory: &mut Vec<Block>) -> Option<[u8; OUT]> {
    let params = Params::new(phc.memory, phc.passes, 1, Some(OUT)).ok()?;
    let blocks = params.block_count();
    if memory.len() < blocks {
        memory.resize(blocks, Block::default());
    }
    let mut out = [0; OUT];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let done = argon2.hash_password_into_with_memory(password, &phc.salt, &mut out, memory.get_mut(..blocks)?);
    done.ok().map(|()| out)
}

/// `$argon2id$v=19$m=19456,t=2,p=1$salt$hash` (PHC string format), the one shape that is written here.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Phc {
    memory: u32,
    passes: u32,
    salt: [u8; SALT],
    hash: [u8; OUT],
}

impl Phc {
    fn to_text(&self) -> String {
        let (salt, hash) = (STANDARD_NO_PAD.encode(self.salt), STANDARD_NO_PAD.encode(self.hash));
        format!("$argon2id$v=19$m={},t={},p=1${salt}${hash}", self.memory, self.passes)
    }

    fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("$argon2id$v=19$m=")?;
        let (memory, rest) = rest.split_once(",t=")?;
        let (passes, rest) = rest.split_once(",p=1$")?;
        let (salt, hash) = rest.split_once('$')?;
        let phc = Self {
            memory: memory.parse().ok()?,
            passes: passes.parse().ok()?,
            salt: STANDARD_NO_PAD.decode(salt).ok()?.try_into().ok()?,
            hash: STANDARD_NO_PAD.decode(hash).ok()?.try_into().ok()?,
        };
        (phc.memory <= MAX_MEMORY && (1..=64).contains(&phc.passes)).then_some(phc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: HasherOptions = HasherOptions { memory: 64, passes: 1, threads: 1, queue: 4, reserved: 2 };

    fn hasher(options: HasherOptions) -> Hasher {
        Hasher::start(options, Entropy::seeded(1)).unwrap()
    }

    #[tokio::test]
    async fn right_wrong_and_nobody_cost_one_evaluation_each() {
        let hasher = hasher(SMALL);
        let phc = hasher.hash(Lane::Unknown, "correct horse").await.unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
        let before = hasher.evaluations();
        for (count, (password, stored, matches)) in [
            ("correct horse", Some(phc.as_str()), true),
            ("wrong", Some(phc.as_str()), false),
            ("correct horse", None, false),
            ("correct horse", Some("not a hash"), false),
            ("", None, false),
            (&"x".repeat(5000), Some(phc.as_str()), false),
        ]
        .into_iter()
        .enumerate()
        {
            let verdict = hasher.verify(Lane::Unknown, password, stored).await.unwrap();
            assert_eq!(verdict, Verdict { matches, rehash: false });
            assert_eq!(hasher.evaluations(), before + 1 + count as u64);
            assert_eq!(hasher.spent(), hasher.evaluations() * 64);
        }
        // Not even the dummy's own hash lets anybody in.
        assert!(!hasher.verify(Lane::Known, "", Some(&hasher.0.dummy)).await.unwrap().matches);
    }

    #[tokio::test]
    async fn used_memory_gives_the_same_as_fresh_memory() {
        let hasher = hasher(SMALL);
        hasher.hash(Lane::Known, "something else").await.unwrap();
        let phc = Phc::parse(&hasher.hash(Lane::Known, "password").await.unwrap()).unwrap();
        assert_eq!(argon2id(b"password", &phc, &mut Vec::new()), Some(phc.hash));
    }

    #[tokio::test]
    async fn old_parameters_ask_for_a_new_hash() {
        let old = hasher(HasherOptions { memory: 128, ..SMALL }).hash(Lane::Known, "pw").await.unwrap();
        let now = hasher(SMALL);
        assert_eq!(now.verify(Lane::Known, "pw", Some(&old)).await.unwrap(), Verdict { matches: true, rehash: true });
        assert_eq!(now.verify(Lane::Known, "no", Some(&old)).await.unwrap(), Verdict { matches: false, rehash: false });
    }

    // Rule D1: who has a password from before the settings changed cannot be told by the time of the answer.
    #[tokio::test]
    async fn passwords_of_other_settings_cost_what_a_name_costs_that_nobody_has() {
        let options = |memory, passes| HasherOptions { memory, passes, ..SMALL };
        let cheap = hasher(options(64, 1)).hash(Lane::Known, "pw").await.unwrap();
        let dear = hasher(options(128, 4)).hash(Lane::Known, "pw").await.unwrap();
        let now = hasher(options(128, 2));
        let spent = async |stored: Option<&str>| {
            let before = now.spent();
            now.verify(Lane::Unknown, "no", stored).await.unwrap();
            now.spent() - before
        };
        assert_eq!([spent(None).await, spent(Some(&cheap)).await], [256, 256]);
        assert_eq!(spent(Some(&dear)).await, 512);
        assert_eq!([spent(None).await, spent(Some(&cheap)).await, spent(Some(&dear)).await], [512, 512, 512]);
    }

    #[tokio::test]
    async fn a_flood_is_told_to_come_back_and_known_devices_keep_their_lane() {
        let hasher = hasher(HasherOptions { memory: 8 * 1024, passes: 2, ..SMALL });
        let flood = futures_util::future::join_all((0..64).map(|_| hasher.verify(Lane::Unknown, "x", None)));
        let known = async {
            let full = lock(&hasher.0.shared).unknown.len() >= SMALL.queue - 1;
            (full, hasher.verify(Lane::Known, "x", None).await)
        };
        let (flood, (full, known)) = tokio::join!(flood, known);
        assert!(full && known.is_ok());
        let busy = flood.iter().filter(|answer| **answer == Err(Busy)).count();
        assert!((59..=60).contains(&busy), "{busy}: four places, one at most under way");
    }

    #[test]
    fn known_devices_go_first_but_not_for_ever() {
        let job = |name: &str| Job {
            password: name.into(),
            phc: Phc { memory: 8, passes: 1, salt: [0; SALT], hash: [0; OUT] },
            reply: oneshot::channel().0,
        };
        let mut queues = Queues::default();
        queues.known.extend([job("k1"), job("k2"), job("k3")]);
        queues.unknown.extend([job("u1")]);
        let order: Vec<_> = std::iter::from_fn(|| queues.next()).map(|job| String::from_utf8(job.password).unwrap()).collect();
        assert_eq!(order, ["k1", "u1", "k2", "k3"]);
    }

    #[test]
    fn reads_only_what_it_writes() {
        let good = Phc { memory: 19456, passes: 2, salt: [1; SALT], hash: [2; OUT] }.to_text();
        assert!(Phc::parse(&good).is_some());
        for bad in [
            "",
            "$argon2id$",
            &good.replace("argon2id", "argon2i"),
            &good.replace("m=19456", "m=99999999"),
            &good.replace("t=2", "t=0"),
            &good.replace("p=1", "p=2"),
            &good[..good.len() - 1],
        ] {
            assert_eq!(Phc::parse(bad), None, "{bad}");
        }
    }
}
