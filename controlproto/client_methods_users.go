package controlproto

import "context"

// Users lists the accounts. It takes [SiteManageUsers].
func (c *Client) Users(ctx context.Context) ([]User, error) {
	r, err := Do(ctx, c, &Users{})
	if err != nil {
		return nil, err
	}
	return r.Users, nil
}

// UserSessions tells how many sessions each account has now. Without [SiteManageUsers] it is empty.
func (c *Client) UserSessions(ctx context.Context) (map[ID]int, error) {
	r, err := Do(ctx, c, &WSSessionCount{})
	if err != nil {
		return nil, err
	}
	return r.Sessions, nil
}

// AddUser makes an account.
func (c *Client) AddUser(ctx context.Context, user *AddUser) error { return fail(Do(ctx, c, user)) }

// EditUser changes an account. Members that are nil are left as they are, but a nil Quota removes the quota.
func (c *Client) EditUser(ctx context.Context, change *EditUser) error {
	m := *change
	if m.UserID != "" {
		m.UserID = c.account(m.UserID)
	}
	return fail(Do(ctx, c, &m))
}

// RemoveUser removes an account, given by its id or name.
func (c *Client) RemoveUser(ctx context.Context, user ID) error {
	return fail(Do(ctx, c, &DeleteUser{UserID: c.account(user)}))
}

// Broadcast shows a message to all who are logged in on the server's pages, or to one account.
func (c *Client) Broadcast(ctx context.Context, m *UserBroadcast) error { return fail(Do(ctx, c, m)) }
