"""What can go wrong with the private servers; every message is one line and says the mend.

EmbeddedServerError
├── ServerMissingError          no server binary that runs on this platform
├── ServerNotPreparedError      the folder or the database cluster could not be made
└── DataDirectoryBusyError      another `tradewind up` holds the folder
"""


class EmbeddedServerError(Exception):
    """A private server cannot be started."""


class ServerMissingError(EmbeddedServerError):
    """No server binary that runs on this platform is installed."""


class ServerNotPreparedError(EmbeddedServerError):
    """The data directory or the database cluster could not be prepared."""


class DataDirectoryBusyError(EmbeddedServerError):
    """Another process has locked the data directory."""
