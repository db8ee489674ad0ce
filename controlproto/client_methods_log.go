package controlproto

import "context"

// EventLog returns events that the server kept, newest first. Without a Limit it may be all of them. The device in it
// needs its whole id or the bare last part, the account its id.
func (c *Client) EventLog(ctx context.Context, query *Events) ([]Event, error) {
	r, err := Do(ctx, c, query)
	if err != nil {
		return nil, err
	}
	return r.Events, nil
}

// Report makes a report of sessions, traffic, logins or the database. Refused, it is not answered.
func (c *Client) Report(ctx context.Context, query *Report) (*ReportData, error) {
	r, err := Do(ctx, c, query)
	if err != nil {
		return nil, err
	}
	return &r.Data, nil
}
