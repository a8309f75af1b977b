//! Rounds: a path is walked and weighed; walked again with the tape on; what was taped is played on the copy, together with
//! the bare operations, and weighed the same way, in the same rhythm: one walk after the other, each on a command, as the
//! requests of a client come. What the commands themselves cost is weighed too and taken off. The figures are medians over the
//! rounds.

use crate::child::Server;
use crate::world::World;
use std::time::Duration;

/// A path that a client walks.
pub trait Walk {
    /// What comes before and is not part of the figure. If there is something, every walk is weighed by itself.
    fn before(&mut self) -> Result<(), String> {
        Ok(())
    }
    /// The path.
    fn walk(&mut self) -> Result<(), String>;
}

/// How a path is measured.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Walks per round.
    pub walks: usize,
    /// Rounds.
    pub rounds: usize,
    /// The bare operation, and how often a walk needs it.
    pub bare: (&'static str, usize),
    /// Whether [`Walk::before`] does something.
    pub parted: bool,
}

/// Microseconds of CPU per walk.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    pub cost: f64,
    pub floor: f64,
    pub difference: f64,
    pub statements: f64,
    pub transactions: f64,
}

/// The middle one.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = values.collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}

fn micros(time: Duration, walks: usize) -> f64 {
    time.as_secs_f64() * 1e6 / walks as f64
}

/// Measures. `first` happens once, on both databases (a sign-in, say).
pub fn measure<W: Walk>(
    server: &mut Server,
    world: &World,
    plan: Plan,
    first: impl FnOnce() -> Result<W, String>,
) -> Result<Sample, String> {
    server.ask(&format!("copy {}", world.copy))?;
    server.ask(&format!("bare {}", plan.bare.0))?;
    server.ask("tape")?;
    let mut path = first()?;
    for _ in 0..plan.walks.min(50) {
        path.before()?;
        path.walk()?;
    }
    let warm = cut(server)?;
    server.ask(&format!("play {} {}", warm.number, plan.bare.1))?;
    let mut samples = Vec::new();
    for _ in 0..plan.rounds {
        let cost = micros(weigh(server, plan, &mut path)?, plan.walks);
        let taped = tape(server, plan, &mut path)?;
        let floor = floor(server, plan, &taped)?;
        let counted = || taped.iter().filter(|p| p.counts);
        let sum = |of: fn(&Part) -> usize| counted().map(of).sum::<usize>() as f64 / plan.walks as f64;
        samples.push(Sample {
            cost,
            floor,
            difference: cost - floor,
            statements: sum(|p| p.statements),
            transactions: sum(|p| p.transactions),
        });
    }
    let of = |field: fn(&Sample) -> f64| median(samples.iter().map(field));
    Ok(Sample {
        cost: of(|s| s.cost),
        floor: of(|s| s.floor),
        difference: of(|s| s.difference),
        statements: of(|s| s.statements),
        transactions: of(|s| s.transactions),
    })
}

/// Microseconds of a walk's statements and bare operations.
fn floor(server: &mut Server, plan: Plan, taped: &[Part]) -> Result<f64, String> {
    let mut total = Duration::ZERO;
    let mut before = settled(server)?;
    for part in taped {
        if plan.parted && part.counts {
            before = settled(server)?;
        }
        let times = if part.counts { plan.bare.1 } else { 0 };
        server.ask(&format!("play {} {times}", part.number))?;
        if plan.parted && part.counts {
            total += settled(server)?.saturating_sub(before);
        }
    }
    if !plan.parted {
        total = settled(server)?.saturating_sub(before);
    }
    let before = settled(server)?;
    for _ in 0..plan.walks {
        server.ask("rest")?;
    }
    let rest = settled(server)?.saturating_sub(before);
    Ok(micros(total.saturating_sub(rest), plan.walks))
}

/// CPU time once the threads that answered have gone to sleep.
fn settled(server: &Server) -> Result<Duration, String> {
    std::thread::sleep(Duration::from_millis(1));
    server.cpu()
}

fn weigh(server: &Server, plan: Plan, path: &mut impl Walk) -> Result<Duration, String> {
    let mut total = Duration::ZERO;
    let (times, walks) = if plan.parted { (plan.walks, 1) } else { (1, plan.walks) };
    for _ in 0..times {
        path.before()?;
        let before = settled(server)?;
        for _ in 0..walks {
            path.walk()?;
        }
        total += settled(server)?.saturating_sub(before);
    }
    Ok(total)
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
fn tape(server: &mut Server, plan: Plan, path: &mut impl Walk) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    for _ in 0..plan.walks {
        server.ask("tape")?;
        if plan.parted {
            path.before()?;
            parts.push(cut(server)?);
            server.ask("tape")?;
        }
        path.walk()?;
        parts.push(Part { counts: true, ..cut(server)? });
    }
    Ok(parts)
}
