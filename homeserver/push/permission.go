package push

import (
	"hearth/matrix"
	"hearth/matrix/authrules"
	"hearth/matrix/event"
)

// MayNotify looks at the power levels of the room's state at the event.
// spec: client-server-api#conditions-1 (sender_notification_permission)
func (r *roomOf) MayNotify(sender matrix.UserID, key string) (bool, error) {
	events, err := r.store.StateEvents(r.ctx, r.room.Num, r.e.Before, event.Key{Type: "m.room.create"}, event.Key{Type: "m.room.power_levels"})
	if err != nil || events[0] == nil {
		return false, err
	}
	var power *event.Event
	var levels *event.PowerLevels
	if events[1] != nil {
		power = events[1].Event
		if levels, err = event.ParsePowerLevels(power.Version, power.Content); err != nil {
			levels = nil // what cannot be read counts as absent: it is no reason to stop counting
		}
	}
	return authrules.UserLevel(sender, events[0].Event, power) >= levels.Notification(key), nil
}
