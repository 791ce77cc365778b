//! What a record costs: building it, and putting it durably into the local log from 1, 20, 64 and 256 callers at
//! once. Run with `cargo bench --bench log`. Absent: HTTP; the load script measures the whole.

#![expect(clippy::unwrap_used, reason = "a bench may stop at the first surprise")]

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tollgate::audit::{Audit, Durability, StoreSettings, SubjectKey};

#[path = "../tests/it/samples.rs"]
#[expect(dead_code, reason = "shared with the tests")]
mod samples;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// User and system time of this process.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |n: usize| fields.get(n).and_then(|field| field.parse::<u64>().ok()).unwrap_or_default();
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

async fn fill(audit: &Audit, records: usize, callers: usize, durable: Durability) {
    let mut tasks = Vec::new();
    for caller in 0..callers {
        let audit = audit.clone();
        let share = records / callers + usize::from(caller < records % callers);
        tasks.push(tokio::spawn(async move {
            for _ in 0..share {
                let record = samples::record(&audit, "person-7", durable);
                audit.append(record).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

fn log(criterion: &mut Criterion) {
    let runtime = runtime();
    let key = SubjectKey::new([7; 32]);
    let (given, facts, verdict) = (samples::given("p"), samples::facts(), samples::verdict());
    let provenance = samples::provenance("p", Durability::Local);
    criterion.bench_function("record/build", |bench| {
        bench.iter(|| {
            tollgate::audit::DecisionRecord::new(&provenance, &given, &facts, &verdict, &key, [1; 16])
        });
    });

    let mut group = criterion.benchmark_group("append");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    for callers in [1, 20, 64, 256] {
        group.throughput(Throughput::Elements(1));
        group.bench_function(format!("local/{callers} callers"), |bench| {
            let folder = tempfile::tempdir().unwrap();
            let audit = runtime.block_on(Audit::open(StoreSettings::new(folder.path()))).unwrap();
            bench.iter_custom(|times| {
                let records = usize::try_from(times).unwrap();
                let begun = Instant::now();
                runtime.block_on(fill(&audit, records, callers, Durability::Local));
                begun.elapsed()
            });
            runtime.block_on(audit.close(Duration::ZERO));
        });
    }
    group.finish();

    let folder = tempfile::tempdir().unwrap();
    let audit = runtime.block_on(Audit::open(StoreSettings::new(folder.path()))).unwrap();
    let (begun, used) = (Instant::now(), cpu());
    runtime.block_on(fill(&audit, 20_000, 256, Durability::Local));
    let (wall, used) = (begun.elapsed(), cpu() - used);
    eprintln!(
        "20,000 durable records from 256 callers: {:.0}/s, {:.1} us of CPU each (building included)",
        20_000.0 / wall.as_secs_f64(),
        used.as_secs_f64() * 1e6 / 20_000.0
    );
    runtime.block_on(audit.close(Duration::ZERO));
    let size = std::fs::metadata(folder.path().join("log.db")).map_or(0, |file| file.len());
    eprintln!("{} bytes a record on disk", size / 20_000);
}

criterion_group!(benches, log);
criterion_main!(benches);
