package controlproto

import (
	"context"
	"fmt"
)

// DeviceGroups lists the device groups that the account may see.
func (c *Client) DeviceGroups(ctx context.Context) ([]DeviceGroup, error) {
	r, err := Do(ctx, c, &Meshes{})
	if err != nil {
		return nil, err
	}
	return r.Groups, nil
}

// DeviceGroupUsers returns the accounts and user groups that have rights on a device group, by their ids.
func (c *Client) DeviceGroupUsers(ctx context.Context, group ID) (Links, error) {
	groups, err := c.DeviceGroups(ctx)
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		if g.ID.Name() == group.Name() {
			return g.Links, nil
		}
	}
	return nil, requestError("meshes", fmt.Errorf("device group %.128q: %w", string(group), ErrNotFound))
}

// AddDeviceGroup makes a device group and returns its id.
func (c *Client) AddDeviceGroup(ctx context.Context, group *CreateMesh) (ID, error) {
	r, err := Do(ctx, c, group)
	if err != nil {
		return "", err
	}
	return r.GroupID, nil
}

// EditDeviceGroup changes a device group. Without the right to, a stock server does not answer.
func (c *Client) EditDeviceGroup(ctx context.Context, change *EditMesh) error {
	return fail(Do(ctx, c, change))
}

// RemoveDeviceGroup removes a device group and its devices.
func (c *Client) RemoveDeviceGroup(ctx context.Context, group ID) error {
	return fail(Do(ctx, c, &DeleteMesh{GroupID: group}))
}

// AddUserToDeviceGroup gives an account or a user group rights on a device group, in place of those it has. A bare name
// is that of an account. Stock servers refuse to change the own rights.
func (c *Client) AddUserToDeviceGroup(ctx context.Context, group, user ID, rights Rights) error {
	m := &AddMeshUser{GroupID: group, Rights: rights}
	if isID(user) {
		m.UserIDs = []ID{user}
	} else {
		m.Usernames = []string{string(user)}
	}
	return c.addMeshUser(ctx, m)
}

// addMeshUser sends a request whose result is a text for people: what counts are the counters.
func (c *Client) addMeshUser(ctx context.Context, m *AddMeshUser) error {
	r, err := Do(ctx, c, m)
	if err != nil {
		return err
	}
	if r.Success == nil || *r.Success == 0 {
		return requestError(m.Action(), &ResultError{Action: m.Action(), Result: r.Result})
	}
	return nil
}

// RemoveUserFromDeviceGroup takes all rights on a device group from an account or a user group.
func (c *Client) RemoveUserFromDeviceGroup(ctx context.Context, group, user ID) error {
	return fail(Do(ctx, c, &RemoveMeshUser{GroupID: group, UserID: c.account(user)}))
}

// SendInvite sends an invitation to install an agent by e-mail.
func (c *Client) SendInvite(ctx context.Context, invite *InviteAgent) error {
	m := *invite
	orElse(&m.OS, "0")
	return fail(Do(ctx, c, &m))
}

// InviteLink makes an address with an invitation to install an agent.
func (c *Client) InviteLink(ctx context.Context, invite *CreateInviteLink) (SecretURL, error) {
	r, err := Do(ctx, c, invite)
	if err != nil {
		return SecretURL{}, err
	}
	return r.URL, nil
}
