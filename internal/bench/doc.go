// Package bench measures what stock servers were measured for: what a login costs the server in CPU time, and what an idle
// agent costs it in memory, an operator's list of devices in CPU time, and a viewer who reads nothing in memory. The server runs in a process of its own, so that the operating system can tell its share.
//
//	go test ./internal/bench -run '^$' -bench Login -benchtime 500x
//	GOEXPERIMENT=boringcrypto go test ./internal/bench -run '^$' -bench Login -benchtime 500x
//	go test ./internal/bench -run '^$' -bench Idle -benchtime 1x -agents 5000 -quiet 1m
//	go test ./internal/bench -run '^$' -bench StalledViewers -benchtime 1x -viewers 20 -stall 1m
//	go test ./internal/bench -run '^$' -bench Nodes -benchtime 1000x
//	go test ./internal/bench -run '^$' -bench 'AMTLogin|AMTChannel' -benchtime 2000x
//	go test ./internal/bench -run '^$' -bench IdleAMT -benchtime 1x -amt 5000 -quiet 1m
//	go test ./internal/bench -run '^$' -bench Fleet -benchtime 1x -fleet 5000
package bench
