package controlproto

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// UserGroups lists the user groups: without [SiteUserGroups], their names alone.
func (c *Client) UserGroups(ctx context.Context) (map[ID]UserGroup, error) {
	r, err := Do(ctx, c, &UserGroups{})
	if err != nil {
		return nil, err
	}
	for id, g := range r.Groups {
		if g.ID == "" {
			g.ID = id
			r.Groups[id] = g
		}
	}
	return r.Groups, nil
}

// AddUserGroup makes a user group and returns its id.
func (c *Client) AddUserGroup(ctx context.Context, group *CreateUserGroup) (ID, error) {
	r, err := Do(ctx, c, group)
	if err != nil {
		return "", err
	}
	return r.UserGroupID, nil
}

// RemoveUserGroup removes a user group.
func (c *Client) RemoveUserGroup(ctx context.Context, group ID) error {
	return fail(Do(ctx, c, &DeleteUserGroup{UserGroupID: c.userGroup(group)}))
}

// AddToUserGroup adds an account to a user group, or gives the group rights on a device group or a device. What member
// is, its id says; a bare name is an account.
func (c *Client) AddToUserGroup(ctx context.Context, group, member ID, rights Rights) error {
	group = c.userGroup(group)
	switch member.Kind() {
	case KindUser, "":
		r, err := Do(ctx, c, &AddUserToUserGroup{UserGroupID: group, Usernames: []string{member.Name()}})
		switch {
		case err != nil:
			return err
		case r.Added == nil:
			return requestError("addusertousergroup", fmt.Errorf("user group %.128q: %w", string(group), ErrNotFound))
		case *r.Added == 0:
			return requestError("addusertousergroup", fmt.Errorf("account %.128q: %w", member.Name(), ErrNotFound))
		}
		return nil
	case KindDeviceGroup:
		return c.addMeshUser(ctx, &AddMeshUser{GroupID: member, UserID: group, Rights: rights})
	case KindDevice:
		return fail(Do(ctx, c, &AddDeviceUser{DeviceID: member, UserIDs: []ID{group}, Rights: rights}))
	}
	return errMember(member)
}

// RemoveFromUserGroup undoes [Client.AddToUserGroup].
func (c *Client) RemoveFromUserGroup(ctx context.Context, group, member ID) error {
	group = c.userGroup(group)
	switch member.Kind() {
	case KindUser, "":
		return fail(Do(ctx, c, &RemoveUserFromUserGroup{UserGroupID: group, UserID: c.account(member)}))
	case KindDeviceGroup:
		return fail(Do(ctx, c, &RemoveMeshUser{GroupID: member, UserID: group}))
	case KindDevice:
		return fail(Do(ctx, c, &AddDeviceUser{DeviceID: member, UserIDs: []ID{group}, Remove: true}))
	}
	return errMember(member)
}

// RemoveAllFromUserGroup removes all accounts from a user group and returns those that were removed.
func (c *Client) RemoveAllFromUserGroup(ctx context.Context, group ID) (removed []ID, err error) {
	group = c.userGroup(group)
	groups, err := c.UserGroups(ctx)
	if err != nil {
		return nil, err
	}
	g, ok := groups[group]
	if !ok {
		return nil, requestError("usergroups", fmt.Errorf("user group %.128q: %w", string(group), ErrNotFound))
	}
	var errs []error
	for id := range g.Links {
		if id.Kind() != KindUser {
			continue
		}
		if err := c.RemoveFromUserGroup(ctx, group, id); err != nil {
			errs = append(errs, err)
		} else {
			removed = append(removed, id)
		}
	}
	slices.Sort(removed)
	return removed, errors.Join(errs...)
}

func (c *Client) userGroup(id ID) ID { return id.In(KindUserGroup, c.ServerInfo().Domain) }

func errMember(id ID) error {
	return fmt.Errorf("controlproto: %.128q is no account, device group or device", string(id))
}
