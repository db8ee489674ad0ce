package controlproto

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// EventDetail is what one kind of [Event] carries besides what they all have.
type EventDetail interface {
	// EventAction is the event's Action.
	EventAction() string
}

// ErrNoDetail is returned for events that this package has no struct for.
var ErrNoDetail = errors.New("controlproto: no details known for this event")

// Detail decodes what the event carries, by its Action. The result is a pointer to one of the structs named ...Event.
func (e *Event) Detail() (EventDetail, error) {
	d := newEventDetail(e.Action)
	if d == nil {
		return nil, fmt.Errorf("%w: %.32q", ErrNoDetail, e.Action)
	}
	if len(e.Extra) == 0 {
		return d, nil
	}
	b, err := jsonrec.Append(nil, e.Extra)
	if err == nil {
		err = jsonrec.Unmarshal(b, d)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: event %.32q: %w", ErrMessage, e.Action, err)
	}
	return d, nil
}

// SetDetail sets Action and Extra. It is the inverse of Detail.
func (e *Event) SetDetail(d EventDetail) error {
	b, err := jsonrec.Append(nil, d)
	if err != nil {
		return fmt.Errorf("controlproto: event %.32q: %w", d.EventAction(), err)
	}
	var all struct {
		Extra map[string]json.RawMessage `json:"-"`
	}
	if err := jsonrec.Unmarshal(b, &all); err != nil {
		return fmt.Errorf("controlproto: event %.32q: %w", d.EventAction(), err)
	}
	e.Action, e.Extra = d.EventAction(), all.Extra
	return nil
}

// newEventDetail returns an empty struct for an action, or nil.
func newEventDetail(action string) EventDetail {
	switch action {
	case "accountcreate":
		return new(AccountCreateEvent)
	case "accountchange":
		return new(AccountChangeEvent)
	case "accountremove":
		return new(AccountRemoveEvent)
	case "login":
		return new(LoginEvent)
	case "logout":
		return new(LogoutEvent)
	case "authfail":
		return new(AuthFailEvent)
	case "passchange":
		return new(PassChangeEvent)
	case "wssessioncount":
		return new(SessionCountEvent)
	case "createusergroup":
		return new(CreateUserGroupEvent)
	case "usergroupchange":
		return new(UserGroupChangeEvent)
	case "deleteusergroup":
		return new(DeleteUserGroupEvent)
	case "createmesh":
		return new(CreateGroupEvent)
	case "meshchange":
		return new(GroupChangeEvent)
	case "deletemesh":
		return new(DeleteGroupEvent)
	case "addnode":
		return new(AddNodeEvent)
	case "changenode":
		return new(ChangeNodeEvent)
	case "removenode":
		return new(RemoveNodeEvent)
	case "nodemeshchange":
		return new(NodeGroupChangeEvent)
	case "nodeconnect":
		return new(NodeConnectEvent)
	case "devicesessions":
		return new(DeviceSessionsEvent)
	case "ifchange":
		return new(InterfaceChangeEvent)
	case "sysinfohash":
		return new(SysInfoHashEvent)
	case "sessioncompression":
		return new(SessionCompressionEvent)
	case "agentlog":
		return new(AgentLogEvent)
	case "manual":
		return new(ManualEvent)
	case "runcommands":
		return new(RunCommandsEvent)
	case "batchupload":
		return new(BatchUploadEvent)
	case "relaylog":
		return new(RelayLogEvent)
	case "recording":
		return new(RecordingEvent)
	case "endsession":
		return new(EndSessionEvent)
	case "addedDeviceShare":
		return new(AddedDeviceShareEvent)
	case "removedDeviceShare":
		return new(RemovedDeviceShareEvent)
	case "deviceShareUpdate":
		return new(DeviceShareUpdateEvent)
	case "loginTokenAdded":
		return new(LoginTokenAddedEvent)
	case "loginTokenChanged":
		return new(LoginTokenChangedEvent)
	case "userWebState":
		return new(UserWebStateEvent)
	case "uicustomevent":
		return new(UICustomEvent)
	case "scanamtdevice":
		return new(ScanAMTDeviceEvent)
	case "wakedevices":
		return new(WakeDevicesEvent)
	case "amtpoweraction":
		return new(AMTPowerActionEvent)
	case "oneclickrecovery":
		return new(OneClickRecoveryEvent)
	case "turnon":
		return new(TurnOnEvent)
	case "turnoff":
		return new(TurnOffEvent)
	case "notify":
		return new(NotifyEvent)
	case "servertimelinestats":
		return new(TimelineStatsEvent)
	case "serverinfochange":
		return new(ServerInfoChangeEvent)
	case "started":
		return new(StartedEvent)
	case "stopped":
		return new(StoppedEvent)
	case "updatePluginList":
		return new(UpdatePluginListEvent)
	case "pluginStateChange":
		return new(PluginStateChangeEvent)
	case "traceinfo":
		return new(TraceInfoEvent)
	case "satelliteResponse":
		return new(SatelliteResponseEvent)
	case "diagnostic":
		return new(DiagnosticEvent)
	}
	return nil
}
