package matrix

// Error codes that any endpoint may answer with.
// spec: client-server-api#common-error-codes
const (
	MBadJSON               = "M_BAD_JSON"
	MForbidden             = "M_FORBIDDEN"
	MLimitExceeded         = "M_LIMIT_EXCEEDED"
	MMissingToken          = "M_MISSING_TOKEN"
	MNotFound              = "M_NOT_FOUND"
	MNotJSON               = "M_NOT_JSON"
	MResourceLimitExceeded = "M_RESOURCE_LIMIT_EXCEEDED"
	MUnknown               = "M_UNKNOWN"
	MUnknownDevice         = "M_UNKNOWN_DEVICE"
	MUnknownToken          = "M_UNKNOWN_TOKEN"
	MUnrecognized          = "M_UNRECOGNIZED"
	MUserLimitExceeded     = "M_USER_LIMIT_EXCEEDED"
	MUserLocked            = "M_USER_LOCKED"
	MUserSuspended         = "M_USER_SUSPENDED"
)

// Error codes of single endpoints of the Client-Server, Server-Server and Application Service APIs.
// spec: client-server-api#other-error-codes
const (
	MAppserviceLoginUnsupported  = "M_APPSERVICE_LOGIN_UNSUPPORTED"
	MBadAlias                    = "M_BAD_ALIAS"
	MBadState                    = "M_BAD_STATE"
	MBadStatus                   = "M_BAD_STATUS"
	MCannotLeaveServerNoticeRoom = "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM"
	MCannotOverwriteMedia        = "M_CANNOT_OVERWRITE_MEDIA"
	MCaptchaInvalid              = "M_CAPTCHA_INVALID"
	MCaptchaNeeded               = "M_CAPTCHA_NEEDED"
	MConnectionFailed            = "M_CONNECTION_FAILED"
	MConnectionTimeout           = "M_CONNECTION_TIMEOUT"
	MDuplicateAnnotation         = "M_DUPLICATE_ANNOTATION"
	MExclusive                   = "M_EXCLUSIVE"
	MGuestAccessForbidden        = "M_GUEST_ACCESS_FORBIDDEN"
	MIncompatibleRoomVersion     = "M_INCOMPATIBLE_ROOM_VERSION"
	MInvalidParam                = "M_INVALID_PARAM"
	MInvalidRoomState            = "M_INVALID_ROOM_STATE"
	MInvalidSignature            = "M_INVALID_SIGNATURE"
	MInvalidUsername             = "M_INVALID_USERNAME"
	MInviteBlocked               = "M_INVITE_BLOCKED"
	MKeyTooLarge                 = "M_KEY_TOO_LARGE"
	MMissingParam                = "M_MISSING_PARAM"
	MNotYetUploaded              = "M_NOT_YET_UPLOADED"
	MProfileTooLarge             = "M_PROFILE_TOO_LARGE"
	MRoomInUse                   = "M_ROOM_IN_USE"
	MServerNotTrusted            = "M_SERVER_NOT_TRUSTED"
	MThreepidAuthFailed          = "M_THREEPID_AUTH_FAILED"
	MThreepidDenied              = "M_THREEPID_DENIED"
	MThreepidInUse               = "M_THREEPID_IN_USE"
	MThreepidMediumNotSupported  = "M_THREEPID_MEDIUM_NOT_SUPPORTED"
	MThreepidNotFound            = "M_THREEPID_NOT_FOUND"
	MTokenIncorrect              = "M_TOKEN_INCORRECT"
	MTooLarge                    = "M_TOO_LARGE"
	MUnableToAuthoriseJoin       = "M_UNABLE_TO_AUTHORISE_JOIN"
	MUnableToGrantJoin           = "M_UNABLE_TO_GRANT_JOIN"
	MUnauthorized                = "M_UNAUTHORIZED"
	MUnknownPos                  = "M_UNKNOWN_POS"
	MUnsupportedRoomVersion      = "M_UNSUPPORTED_ROOM_VERSION"
	MURLNotSet                   = "M_URL_NOT_SET"
	MUserDeactivated             = "M_USER_DEACTIVATED"
	MUserInUse                   = "M_USER_IN_USE"
	MWeakPassword                = "M_WEAK_PASSWORD"
	MWrongRoomKeysVersion        = "M_WRONG_ROOM_KEYS_VERSION"
)

// Error codes of the Identity Service API, some of which the homeserver passes on.
// spec: identity-service-api#standard-error-response
const (
	MDestinationRejected = "M_DESTINATION_REJECTED"
	MEmailSendError      = "M_EMAIL_SEND_ERROR"
	MInvalidAddress      = "M_INVALID_ADDRESS"
	MInvalidEmail        = "M_INVALID_EMAIL"
	MInvalidPepper       = "M_INVALID_PEPPER"
	MMissingParams       = "M_MISSING_PARAMS"
	MNoValidSession      = "M_NO_VALID_SESSION"
	MSendError           = "M_SEND_ERROR"
	MSessionExpired      = "M_SESSION_EXPIRED"
	MSessionNotValidated = "M_SESSION_NOT_VALIDATED"
	MTermsNotSigned      = "M_TERMS_NOT_SIGNED"
)
