package wsman

// Trace has functions that are called when something happens. Nil ones are skipped. They are called from the goroutines that
// make requests and shall return soon. What they are given holds no credentials.
type Trace struct{}
