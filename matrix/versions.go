package matrix

import "math"

// The room versions, each as its difference from the one before. Nothing writes to them after the program's
// start: their addresses identify them.
// spec: rooms/v1 to rooms/v12
var (
	version1 = RoomVersion{
		Version: "1", Stable: true,
		EventIDFormat: EventIDServerMade, StateRes: StateRes1, PowerLevels: PowerLevelFloats,
		Redaction: Redaction{KeepsOrigin: true, KeepsAliases: true},
		MaxDepth:  math.MaxInt64, SpecialAliasAuth: true, RedactionAuth: true,
	}
	version2 = after(version1, "2", func(v *RoomVersion) { v.StateRes = StateRes2 })
	version3 = after(version2, "3", func(v *RoomVersion) { v.EventIDFormat, v.RedactionAuth = EventIDHash, false })
	version4 = after(version3, "4", func(v *RoomVersion) { v.EventIDFormat = EventIDURLHash })
	version5 = after(version4, "5", func(v *RoomVersion) { v.EnforceKeyValidity = true })
	version6 = after(version5, "6", func(v *RoomVersion) {
		v.StrictCanonicalJSON, v.MaxDepth, v.PowerLevels = true, MaxInt, PowerLevelStrings
		v.SpecialAliasAuth, v.Redaction.KeepsAliases, v.NotificationsPowerAuth = false, false, true
	})
	version7  = after(version6, "7", func(v *RoomVersion) { v.Knocking = true })
	version8  = after(version7, "8", func(v *RoomVersion) { v.Restricted, v.Redaction.KeepsAllow = true, true })
	version9  = after(version8, "9", func(v *RoomVersion) { v.Redaction.KeepsAuthoriser = true })
	version10 = after(version9, "10", func(v *RoomVersion) {
		v.PowerLevels, v.IntegerPowerLevels, v.KnockRestricted = PowerLevelIntegers, true, true
	})
	version11 = after(version10, "11", func(v *RoomVersion) {
		v.UpdatedRedaction, v.RedactsInContent, v.CreatorIsSender = true, true, true
		v.Redaction.KeepsOrigin, v.Redaction.KeepsInviteLevel, v.Redaction.KeepsSigned = false, true, true
		v.Redaction.KeepsRedacts, v.Redaction.KeepsCreate = true, true
	})
	version12 = after(version11, "12", func(v *RoomVersion) {
		v.StateRes, v.RoomIDIsCreateHash, v.PrivilegedCreators = StateRes21, true, true
	})
)

func after(v RoomVersion, name Version, change func(*RoomVersion)) RoomVersion {
	v.Version = name
	change(&v)
	return v
}
