//! 7. Earlier runs: where their folders lie, which there are, and what one of them found.
//!
//! It reads folders and caches a result beside the log that it came from; it never touches a log, a
//! journal or a ledger, and measures nothing by itself.

mod cache;
mod columns;
mod list;
mod past_run;
mod previous;
mod runs_dir;
mod series;
mod show;

pub use cache::{cached_result, store_result};
pub use list::list_text;
pub use past_run::{PastRun, PastState};
pub use previous::previous_figure;
pub use runs_dir::{FindError, NoStateDir, all_runs, default_dir, find};
pub use series::{PastSeries, SeriesError, series_of_run, store_series};
pub use show::show_text;
