//! Rounds: a path is walked by several clients at once and weighed; walked again, one after the other, with the tape on; what
//! was taped is played on the copy, by as many tasks at once, together with the bare operations, and weighed the same way. Cost
//! and floor follow each other within a second or two, every other round the other way about, so what a machine does for longer than
//! that (its clock, its neighbours) is in both: the difference is the median of the differences of the rounds, and is given with
//! its standard error.
//!
//! The clients never sleep, and a core is kept as busy while the floor is walked. To wake a core that sleeps costs the server up
//! to 50 µs on a virtual machine; under load nobody sleeps, and whether they do is not what is measured here.

use crate::child::Server;
use crate::world::World;
use futures_util::future::try_join_all;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// A path that a client walks.
pub trait Walk {
    /// What comes before and is not part of the figure. If there is something, every walk is weighed by itself.
    async fn before(&mut self) -> Result<(), String> {
        Ok(())
    }
    /// The path.
    async fn walk(&mut self) -> Result<(), String>;
}

/// How a path is measured.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Walks per round, of all clients.
    pub walks: usize,
    /// Clients that walk at once. A server that is idle between two requests pays for falling asleep and for being woken as
    /// much as for the request; that is measured with one.
    pub clients: usize,
    /// Rounds.
    pub rounds: usize,
    /// The bare operation, and how often a walk needs it.
    pub bare: (&'static str, usize),
    /// Whether [`Walk::before`] does something. Then one client walks.
    pub parted: bool,
}

/// Microseconds of CPU per walk.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    pub cost: f64,
    pub floor: f64,
    /// Median of what cost and floor of a round differ by, and its standard error.
    pub difference: f64,
    pub error: f64,
    pub statements: f64,
    pub transactions: f64,
}

/// The one that a quarter of them does not reach.
pub fn lower_quartile(values: impl Iterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = values.collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 4).copied().unwrap_or(f64::NAN)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = values.collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The standard error of a median, from the median of the deviations from it: one wild round does not widen it.
fn error_of_median(values: &[f64]) -> f64 {
    let middle = median(values.iter().copied());
    let deviation = 1.4826 * median(values.iter().map(|value| (value - middle).abs()));
    1.2533 * deviation / (values.len() as f64).sqrt()
}

fn micros(time: Duration, walks: usize) -> f64 {
    time.as_secs_f64() * 1e6 / walks as f64
}

/// Measures. `first` happens once for each client, on both databases (a sign-in, say).
pub fn measure<W: Walk>(
    server: &mut Server,
    world: &World,
    plan: Plan,
    first: impl AsyncFn() -> Result<W, String>,
) -> Result<Sample, String> {
    let (runtime, mut clients) = prepare(server, world, plan, first)?;
    let mut samples = Vec::new();
    for round in 0..plan.rounds {
        let taped = tape(&runtime, server, plan, clients.first_mut().ok_or("no client walks")?)?;
        let (cost, floor) = if round % 2 == 0 {
            let cost = weigh(&runtime, server, plan, &mut clients)?;
            (cost, beside_clients(plan, || floor(server, plan, &taped))?)
        } else {
            let floor = beside_clients(plan, || floor(server, plan, &taped))?;
            (weigh(&runtime, server, plan, &mut clients)?, floor)
        };
        let (cost, floor) = (micros(cost, plan.walks), micros(floor, plan.walks));
        let counted = || taped.iter().filter(|p| p.counts);
        let sum = |of: fn(&Part) -> usize| counted().map(of).sum::<usize>() as f64 / plan.walks as f64;
        let (statements, transactions) = (sum(|p| p.statements), sum(|p| p.transactions));
        samples.push(Sample { cost, floor, difference: cost - floor, error: 0.0, statements, transactions });
    }
    let of = |field: fn(&Sample) -> f64| median(samples.iter().map(field));
    let differences: Vec<f64> = samples.iter().map(|s| s.difference).collect();
    Ok(Sample {
        cost: of(|s| s.cost),
        floor: of(|s| s.floor),
        difference: of(|s| s.difference),
        error: error_of_median(&differences),
        statements: of(|s| s.statements),
        transactions: of(|s| s.transactions),
    })
}

/// Clients that are signed in, and both databases warm.
fn prepare<W: Walk>(
    server: &mut Server,
    world: &World,
    plan: Plan,
    first: impl AsyncFn() -> Result<W, String>,
) -> Result<(Runtime, Vec<W>), String> {
    let runtime = one_thread()?;
    server.ask(&format!("copy {}", world.copy))?;
    server.ask(&format!("bare {}", plan.bare.0))?;
    server.ask("tape")?;
    let mut clients = Vec::new();
    for _ in 0..plan.clients {
        clients.push(runtime.block_on(async {
            let mut client = first().await?;
            for _ in 0..3 {
                client.before().await?;
                client.walk().await?;
            }
            Ok::<W, String>(client)
        })?);
    }
    let warm = cut(server)?;
    server.ask(&format!("play {0} {0} {1} 1", warm.number, plan.bare.1))?;
    weigh(&runtime, server, plan, &mut clients)?;
    Ok((runtime, clients))
}

/// Instructions per walk instead of time, in one round: they do not vary.
pub fn count<W: Walk>(
    server: &mut Server,
    world: &World,
    plan: Plan,
    first: impl AsyncFn() -> Result<W, String>,
) -> Result<Sample, String> {
    let (runtime, mut clients) = prepare(server, world, plan, first)?;
    let taped = tape(&runtime, server, plan, clients.first_mut().ok_or("no client walks")?)?;
    let cost = server.count(|server| weigh(&runtime, server, plan, &mut clients).map(drop))? / plan.walks as f64;
    let floor = server.count(|server| floor(server, plan, &taped).map(drop))? / plan.walks as f64;
    Ok(Sample { cost, floor, difference: cost - floor, ..Sample::default() })
}

/// Microseconds of a walk for which there is no floor.
pub fn weigh_alone<W: Walk>(runtime: &Runtime, server: &Server, plan: Plan, clients: &mut [W]) -> Result<f64, String> {
    let mut costs = Vec::new();
    for _ in 0..=plan.rounds {
        costs.push(micros(weigh(runtime, server, plan, clients)?, plan.walks));
    }
    Ok(lower_quartile(costs.into_iter().skip(1)))
}

/// CPU time of the statements and bare operations of all walks.
fn floor(server: &mut Server, plan: Plan, taped: &[Part]) -> Result<Duration, String> {
    let Plan { clients, bare: (_, times), .. } = plan;
    if !plan.parted {
        let (Some(first), Some(last)) = (taped.first(), taped.last()) else { return Err("nothing was taped".into()) };
        let before = settled(server)?;
        server.ask(&format!("play {} {} {times} {clients}", first.number, last.number))?;
        return Ok(settled(server)?.saturating_sub(before));
    }
    let mut total = Duration::ZERO;
    for part in taped {
        let times = if part.counts { times } else { 0 };
        let before = settled(server)?;
        server.ask(&format!("play {0} {0} {times} 1", part.number))?;
        if part.counts {
            total += settled(server)?.saturating_sub(before);
        }
    }
    Ok(total)
}

/// CPU time once the threads that answered have gone to sleep.
fn settled(server: &Server) -> Result<Duration, String> {
    std::thread::sleep(Duration::from_millis(1));
    server.cpu()
}

/// All clients of a round are one thread, as those of the trials were: threads of their own would have to be woken one by one,
/// at the server's cost.
pub fn one_thread() -> Result<Runtime, String> {
    Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())
}

/// Does `work` while a thread keeps a core as busy as clients do that have nothing to say: the two cores may be halves of one.
fn beside_clients<T>(plan: Plan, work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    if plan.clients == 1 {
        return work();
    }
    let done = AtomicBool::new(false);
    let idle = one_thread()?;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            idle.block_on(async {
                while !done.load(Ordering::Relaxed) {
                    tokio::task::yield_now().await;
                }
            });
        });
        let outcome = work();
        done.store(true, Ordering::Relaxed);
        outcome
    })
}

/// Goes round without sleeping until `work` is done. One client alone sleeps: a path with one client hashes passwords on a thread
/// of its own, which would have to share a core with it.
async fn awake<T>(plan: Plan, work: impl Future<Output = T>) -> T {
    if plan.clients == 1 {
        return work.await;
    }
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = tokio::task::yield_now() => {}
        }
    }
}

fn weigh<W: Walk>(runtime: &Runtime, server: &Server, plan: Plan, clients: &mut [W]) -> Result<Duration, String> {
    if plan.parted {
        let client = clients.first_mut().ok_or("no client walks")?;
        let mut total = Duration::ZERO;
        for _ in 0..plan.walks {
            runtime.block_on(client.before())?;
            let before = settled(server)?;
            runtime.block_on(client.walk())?;
            total += settled(server)?.saturating_sub(before);
        }
        return Ok(total);
    }
    let each = plan.walks / clients.len();
    let before = settled(server)?;
    runtime.block_on(awake(
        plan,
        try_join_all(clients.iter_mut().map(|client| async move {
            for _ in 0..each {
                client.walk().await?;
            }
            Ok::<(), String>(())
        })),
    ))?;
    Ok(settled(server)?.saturating_sub(before))
}

/// A part of the tape.
struct Part {
    number: usize,
    statements: usize,
    transactions: usize,
    /// Whether it belongs to the floor.
    counts: bool,
}

fn cut(server: &mut Server) -> Result<Part, String> {
    let answer = server.ask("cut")?;
    let mut numbers = answer.split(' ').map(|n| n.parse::<usize>().map_err(|_| format!("`{answer}`")));
    let mut next = || numbers.next().unwrap_or_else(|| Err("a short answer".into()));
    Ok(Part { number: next()?, statements: next()?, transactions: next()?, counts: false })
}

/// Walks with the tape on: a part for what comes before, if there is something, and a part for each walk.
fn tape(runtime: &Runtime, server: &mut Server, plan: Plan, path: &mut impl Walk) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    for _ in 0..plan.walks {
        server.ask("tape")?;
        if plan.parted {
            runtime.block_on(path.before())?;
            parts.push(cut(server)?);
            server.ask("tape")?;
        }
        runtime.block_on(path.walk())?;
        parts.push(Part { counts: true, ..cut(server)? });
    }
    Ok(parts)
}
