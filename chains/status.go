package chains

import "time"

// NetworkStatus tells how a watched network is, for people.
type NetworkStatus struct {
	Network Network
	// Since is when it began to be watched.
	Since time.Time
	// LastRead is when its heads were last read; zero if never.
	LastRead time.Time
	// Head is its newest block.
	Head Block
	// Backlog is how many blocks are still to be caught up on.
	Backlog uint64
	// Problem says why the last poll failed, or is empty.
	Problem   string
	Endpoints []EndpointStatus
}

// EndpointStatus tells how one endpoint is.
type EndpointStatus struct {
	Name string
	// Up tells whether the last request to it was answered; it is false before the first.
	Up bool
	// Active tells whether it is the one in use.
	Active bool
	// Problem says what its last failure was, or is empty.
	Problem string
}
