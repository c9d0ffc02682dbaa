//! The pool with jobs of the tests' own, without streams.

use super::pool::{PERMANENT, processor_time};
use super::*;
use rustix::thread::gettid;
use std::collections::HashSet;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

/// The longest wait for something that is bound to happen.
const DEADLINE: Duration = Duration::from_secs(30);

fn user(uid: u32) -> AccountId {
    AccountId::of_uid(uid)
}

/// Something that never times out. It is not zero-sized, so that each has its own address.
struct Nobody(u8);

impl Watched for Nobody {
    fn steps(&self) -> u64 {
        u64::from(self.0)
    }

    fn time_out(&self, _: Duration) {}
}

/// Runs a job that ends when its sender is dropped.
fn stay(scheduler: &Scheduler, account: AccountId, class: Class) -> (Sender<()>, Receiver<()>) {
    let (release, released) = channel::<()>();
    let (say, begun) = channel();
    let nobody: Weak<dyn Watched> = Weak::<Nobody>::new();
    scheduler.run_for(account, class, nobody, move |_| {
        let _ = say.send(());
        let _ = released.recv();
    });
    (release, begun)
}

#[test]
fn accounts_take_turns() {
    let scheduler = Scheduler::with(1, 1, 0).unwrap();
    let (release, begun) = stay(&scheduler, user(1), Class::Plain);
    begun.recv().unwrap();
    let (say, said) = channel();
    for uid in [1, 1, 1, 1, 2, 1, 3, 2] {
        let say = say.clone();
        scheduler.run(user(uid), move || say.send(uid).unwrap());
    }
    drop((release, say));
    let order: Vec<u32> = said.iter().collect();
    // The first account has had its turn, so each of the others comes before it.
    assert_eq!(order.len(), 8);
    let last_of_others = order.iter().rposition(|uid| *uid != 1).unwrap();
    assert!(last_of_others <= 4, "{order:?}");
}

#[test]
fn an_account_that_uses_more_waits_longer() {
    let scheduler = Scheduler::with(1, 1, 0).unwrap();
    let (release, begun) = stay(&scheduler, user(9), Class::Plain);
    begun.recv().unwrap();
    let (say, said) = channel();
    for _ in 0..20 {
        for (uid, work) in [
            (1, Duration::from_millis(20)),
            (2, Duration::from_millis(1)),
        ] {
            let say = say.clone();
            scheduler.run(user(uid), move || {
                let begun = processor_time();
                while processor_time() - begun < work {}
                say.send(uid).unwrap();
            });
        }
    }
    drop((release, say));
    let order: Vec<u32> = said.iter().collect();
    let last_of_light = order.iter().rposition(|uid| *uid == 2).unwrap();
    assert!(last_of_light < 24, "{order:?}");
}

/// Other threads make up for those that jobs waiting for a process hold, within bounds.
#[test]
fn jobs_asleep_hold_a_share_of_the_threads_and_nobody_up() {
    let scheduler = Scheduler::with(1, 64, 0).unwrap();
    let attack: Vec<_> = (0..80)
        .map(|_| stay(&scheduler, user(1), Class::WaitsForProcess))
        .collect();
    // 28 threads are not reserved for root, and a quarter of them is 7.
    for (_, begun) in &attack[..7] {
        begun.recv_timeout(DEADLINE).unwrap();
    }
    // Other jobs of the same account, of another one, and of root.
    let (say, said) = channel();
    for uid in [1, 2, 0] {
        let say = say.clone();
        scheduler.run(user(uid), move || say.send(uid).unwrap());
    }
    let mut done: Vec<u32> = (0..3)
        .map(|_| said.recv_timeout(DEADLINE).unwrap())
        .collect();
    done.sort_unstable();
    assert_eq!(done, [0, 1, 2]);
    // Other accounts may wait for a process too, with fewer and fewer jobs each.
    let others: Vec<_> = (2..=12)
        .map(|uid| stay(&scheduler, user(uid), Class::WaitsForProcess))
        .collect();
    for (_, begun) in &others {
        begun.recv_timeout(DEADLINE).unwrap();
    }
    let root = stay(&scheduler, AccountId::HOST_ROOT, Class::WaitsForProcess);
    root.1.recv_timeout(DEADLINE).unwrap();
    assert!(attack[7].1.try_recv().is_err(), "more than its share");
    assert!(scheduler.pool.state.lock().threads <= 64);
    drop((attack, others, root));
}

#[test]
fn an_account_runs_no_more_jobs_than_there_are_processors() {
    let scheduler = Scheduler::with(2, 64, 0).unwrap();
    let running = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (say, said) = channel();
    for _ in 0..20 {
        let (running, most, say) = (Arc::clone(&running), Arc::clone(&most), say.clone());
        scheduler.run(user(1), move || {
            let now = running.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(now, Ordering::SeqCst);
            let begun = processor_time();
            while processor_time() - begun < Duration::from_millis(10) {}
            running.fetch_sub(1, Ordering::SeqCst);
            say.send(()).unwrap();
        });
    }
    for _ in 0..20 {
        said.recv_timeout(DEADLINE).unwrap();
    }
    assert!(most.load(Ordering::SeqCst) <= 2, "{most:?}");
}

#[test]
fn accounts_with_nothing_running_need_not_wait_for_a_flood() {
    let scheduler = Scheduler::with(1, 64, 0).unwrap();
    let stop = Arc::new(AtomicUsize::new(0));
    for _ in 0..100 {
        let stop = Arc::clone(&stop);
        scheduler.run(user(1), move || while stop.load(Ordering::Relaxed) == 0 {});
    }
    let together = Arc::new(Barrier::new(3));
    let (say, said) = channel();
    for uid in [2, 0] {
        let (together, say) = (Arc::clone(&together), say.clone());
        scheduler.run(user(uid), move || {
            together.wait();
            say.send(()).unwrap();
        });
    }
    together.wait();
    said.recv_timeout(DEADLINE).unwrap();
    said.recv_timeout(DEADLINE).unwrap();
    stop.store(1, Ordering::Relaxed);
}

#[test]
fn an_account_whose_jobs_wait_does_not_work_inline() {
    let scheduler = Scheduler::with(1, 4, 1).unwrap();
    let (release, begun) = stay(&scheduler, user(1), Class::Plain);
    begun.recv().unwrap();
    drop(scheduler.try_inline(user(1)).expect("nothing waits"));
    let (say, said) = channel();
    scheduler.run(user(1), move || say.send(()).unwrap());
    assert!(scheduler.try_inline(user(1)).is_none());
    let permit = scheduler.try_inline(user(2)).expect("another account");
    assert!(scheduler.try_inline(user(3)).is_none(), "more than allowed");
    drop((permit, release));
    said.recv_timeout(DEADLINE).unwrap();
}

#[test]
fn withdrawn_jobs_do_not_run() {
    let scheduler = Scheduler::with(1, 1, 0).unwrap();
    let (release, begun) = stay(&scheduler, user(1), Class::Plain);
    begun.recv().unwrap();
    let wanted: Arc<dyn Watched> = Arc::new(Nobody(0));
    let unwanted: Arc<dyn Watched> = Arc::new(Nobody(0));
    let (say, said) = channel();
    for (number, watched) in [&wanted, &unwanted, &wanted].into_iter().enumerate() {
        let say = say.clone();
        let watched = Arc::downgrade(watched);
        scheduler.run_for(user(1), Class::Plain, watched, move |_| {
            say.send(number).unwrap();
        });
    }
    scheduler.withdraw(user(1), Arc::as_ptr(&unwanted));
    drop((release, say));
    assert_eq!(said.iter().collect::<Vec<_>>(), [0, 2]);
}

#[test]
fn threads_end_when_they_have_nothing_to_do() {
    let scheduler = Scheduler::with(8, 64, 0).unwrap();
    let busy: Vec<_> = (0..3)
        .map(|_| stay(&scheduler, user(1), Class::Plain))
        .collect();
    for (_, begun) in &busy {
        begun.recv_timeout(DEADLINE).unwrap();
    }
    drop(busy);
    let deadline = Instant::now() + DEADLINE;
    while scheduler.pool.state.lock().threads > PERMANENT {
        assert!(Instant::now() < deadline);
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_job_that_panics_ends_its_thread_and_harms_no_other() {
    let scheduler = Scheduler::with(1, 1, 0).unwrap();
    let (say, said) = channel();
    for _ in 0..10 {
        let say = say.clone();
        scheduler.run(user(1), move || {
            say.send(gettid()).unwrap();
            panic!("a panic that a test causes")
        });
    }
    let threads: HashSet<_> = (0..10)
        .map(|_| said.recv_timeout(DEADLINE).unwrap())
        .collect();
    assert_eq!(threads.len(), 10);
}
