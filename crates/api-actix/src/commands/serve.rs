use roster_settings::Settings;
use roster_telemetry::logging;

use super::failure::Failure;
use super::runtime::runtime;
use crate::server::Application;

/// Reads the settings of this process and serves until it is told to stop.
pub fn serve() -> Result<(), Failure> {
    let settings = Settings::load()?;
    let _log = logging::start(settings.log);
    let system = actix_web::rt::System::with_tokio_rt(runtime);
    let ended =
        system.block_on(async { Application::build(&settings).await?.run().await.map_err(Failure::Stopped) });
    // It is not dropped: that would wait for threads that a hung disk may hold.
    std::mem::forget(system);
    ended
}
