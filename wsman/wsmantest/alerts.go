package wsmantest

import (
	"fmt"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/redir"
)

// Alerts that the device sends by itself. Those of the firmware, iAMT, say with their first argument which of some they are;
// those of the platform, PLAT, are of a registry of the DMTF.
const (
	alertRedirection = "iAMT0050" // 48 SOL begins, 49 it ends, 50 IDE-R begins, 51 it ends
	alertKVM         = "iAMT0052" // 1 begins, 2 ends
	alertKVMEnabled  = "iAMT0059" // 0 off, 1 on
	alertConsent     = "iAMT0064" // 1 given, 2 over
	alertGraceful    = "iAMT0067" // 0 off, 1 reset

	alertChassis      = "PLAT0004" // it was opened
	alertPassword     = "PLAT0032" // wrong ones
	alertPOSTError    = "PLAT0184"
	alertPOSTProgress = "PLAT0188"
	alertLogCleared   = "PLAT0200"
	alertPowerButton  = "PLAT0248" // it was pressed
)

// Values of a CIM_AlertIndication.
const (
	alertDevice      = 5 // AlertType
	alertSecurity    = 8
	severityInform   = 2 // PerceivedSeverity
	severityWarning  = 3
	severityCritical = 6
	severityFatal    = 7

	alertingElement = `Interop:CIM_ComputerSystem.CreationClassName="CIM_ComputerSystem",Name="Intel(r) AMT"`
)

// alertOfRecord is what goes to subscribers with an entry of the event log, if anything does.
func alertOfRecord(r Record) (a wsman.Alert, known bool) {
	switch {
	case r.SensorType == 5 && r.Offset == 0:
		a.MessageID = alertChassis
	case r.SensorType == 6 && r.Offset == 5:
		a.MessageID = alertPassword
	case r.SensorType == 15 && r.Offset == 0:
		a.MessageID = alertPOSTError
	case r.SensorType == 15 && r.Offset == 2:
		a.MessageID = alertPOSTProgress
	case r.SensorType == 192 && r.Data[0] == 0xAA && r.Data[1] == 0x30:
		a.MessageID, a.MessageArguments = alertRedirection, []string{fmt.Sprint(48 + int(r.Data[3]))}
	default:
		return a, false
	}
	switch {
	case r.Severity >= 32:
		a.PerceivedSeverity = severityFatal
	case r.Severity >= 16:
		a.PerceivedSeverity = severityCritical
	case r.Severity >= 8:
		a.PerceivedSeverity = severityWarning
	}
	return a, true
}

// alertSession is for what is not in the event log.
func (d *Device) alertSession(session redir.SessionType, code string) {
	if session == redir.KVM {
		d.alert(wsman.Alert{MessageID: alertKVM, MessageArguments: []string{code}})
	}
}

// SendAlert sends an alert to those who have subscribed to such, as the device does by itself when sessions of redirection begin and
// end, consent is given, the computer boots or is to be shut down gracefully, its power button is pressed, the event log is cleared or
// notes an intrusion or wrong passwords. What is not set has the values of an alert that only informs. The arguments are followed by
// the element that the alert is about. See Config.Notify.
func (d *Device) SendAlert(a wsman.Alert) {
	d.mu.Lock()
	defer d.unlock()
	d.alert(a)
}

// alert queues an alert for everybody who wants such.
func (d *Device) alert(a wsman.Alert) {
	if len(d.notifiers) == 0 {
		return
	}
	if a.PerceivedSeverity == 0 {
		a.PerceivedSeverity = severityInform
	}
	if a.AlertType == 0 {
		a.AlertType = alertSecurity
		if strings.HasPrefix(a.MessageID, "PLAT") {
			a.AlertType = alertDevice
		}
	}
	if a.IndicationTime.IsZero() {
		a.IndicationTime = d.clock()
	}
	setText(&a.AlertingManagedElement, alertingElement)
	setText(&a.OwningEntity, amtSystem)
	setText(&a.SystemName, amtSystem)
	if a.IndicationIdentifier == "" {
		d.indications++
		a.IndicationIdentifier = fmt.Sprintf("Intel(r):%d", d.indications)
	}
	for _, o := range d.classes[subscriptionClass].objects {
		if n := d.notifiers[o]; n != nil && n.wants(a.MessageID) {
			d.enqueue(n, d.indication(&n.s, &a))
		}
	}
}

func setText(field *string, text string) {
	if *field == "" {
		*field = text
	}
}

// wants says whether a filter lets an alert through: some have those of the firmware or of the platform alone.
func (n *notifier) wants(messageID string) bool {
	switch strings.TrimPrefix(n.s.Filter, "Intel(r) AMT:") {
	case "Features":
		return strings.HasPrefix(messageID, "iAMT")
	case "Platform":
		return strings.HasPrefix(messageID, "PLAT")
	}
	return true
}

// indication writes an event as the firmware does: the arguments of the subscription follow what is in every header.
func (d *Device) indication(s *Subscription, a *wsman.Alert) event {
	d.messages++
	id := fmt.Sprintf("uuid:00000000-8086-8086-8086-%012X", d.messages)
	const wsa = wsman.NamespaceAddressing
	uri := wsman.ResourceURI(a.Class())
	header := []wsman.Element{
		textEl(wsa, "To", wsman.Anonymous), el(wsa, "ReplyTo", textEl(wsa, "Address", wsman.Anonymous)),
	}
	if s.WithAck {
		header = append(header, el(wsman.NamespaceWSMan, "AckRequested"))
	}
	header = append(header,
		wsman.Element{Space: wsa, Name: "Action", Text: wsman.ActionEvent, Attrs: []wsman.Attr{{Space: wsman.NamespaceSOAP, Name: "mustUnderstand", Value: "true"}}},
		textEl(wsa, "MessageID", id), textEl(wsman.NamespaceWSMan, "ResourceURI", uri))
	header = append(header, s.Reference...)
	at := []wsman.Element{textEl(wsman.NamespaceCommon, "Datetime", a.IndicationTime.UTC().Format("2006-01-02T15:04:05.000Z"))}
	o := newObject(a.Class(), "AlertType", int(a.AlertType), "AlertingElementFormat", 2, "AlertingManagedElement", a.AlertingManagedElement,
		"IndicationFilterName", s.Filter, "IndicationIdentifier", a.IndicationIdentifier)
	o.props = append(o.props, wsman.Element{Space: uri, Name: "IndicationTime", Children: at})
	more := newObject(a.Class(), "Message", "", "MessageArguments", append(a.MessageArguments[:len(a.MessageArguments):len(a.MessageArguments)],
		strings.ReplaceAll(a.AlertingManagedElement, `"`, "")), "MessageID", a.MessageID, "OtherAlertingElementFormat", "", "OtherSeverity", "",
		"OwningEntity", a.OwningEntity, "PerceivedSeverity", int(a.PerceivedSeverity), "ProbableCause", int(a.ProbableCause), "SystemName", a.SystemName)
	body := el(uri, a.Class(), append(append(o.props, more.props...), a.Extra...)...)
	return event{id: id, since: time.Now(), body: writeEnvelope(d.style(), replyPrefixes, header, []wsman.Element{body})}
}
