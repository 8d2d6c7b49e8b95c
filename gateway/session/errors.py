"""Refusals of log-in."""

from __future__ import annotations

from core.errors import Unauthenticated
from gateway.problem import Remembered


class LoginRefused(Remembered, Unauthenticated):
    """One answer for an unknown key, a wrong signature, an old challenge, a wrong password and a locked account."""

    default_code = "login_refused"
    default_zh = "登录未成功。请确认使用的是登记在链上的当前密钥（或正确的密码），重新获取验证信息后再试；多次失败会暂时锁定。"
    default_en = (
        "The log-in failed. Make sure you use the key the ledger holds now (or the right password), ask for a new "
        "challenge and try again; many failures lock the account for a while."
    )


class SessionOver(Unauthenticated):
    """An unknown or expired session, or one whose key or credential changed since."""

    default_code = "session_over"
    default_zh = "登录已失效，请重新登录。"
    default_en = "The session is over. Log in again."
