// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IAlliance} from "./interfaces/IAlliance.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {OrganisationStatus} from "./types/Types.sol";

/// @title What every contract below the alliance shares: who calls, and whether the contract is frozen
abstract contract Governed {
    uint32 internal constant ROLE_CUSTODIAN = 1 << 0;
    uint32 internal constant ROLE_REGISTRAR = 1 << 2;
    uint32 internal constant ROLE_AUDITOR = 1 << 3;

    IRegistry private immutable _registry;
    IAlliance internal immutable _alliance;

    error NotAMember(address account);
    error NotActive(bytes32 organisation);
    error RoleMissing(bytes32 organisation, uint32 role);
    error ContractFrozen();

    constructor(IRegistry registry) {
        _registry = registry;
        _alliance = registry.alliance();
    }

    modifier whenThawed() {
        _requireThawed();
        _;
    }

    function _requireThawed() internal view {
        if (_registry.isFrozen(address(this))) revert ContractFrozen();
    }

    /// @dev The organisation of the caller, whatever its status.
    function _caller() internal view returns (bytes32 id, uint8 status, uint32 roles) {
        (id, status, roles) = _alliance.memberOf(msg.sender);
        if (id == 0) revert NotAMember(msg.sender);
    }

    /// @dev The organisation of the caller, active and with all the role bits asked for.
    function _activeCaller(uint32 role) internal view returns (bytes32 id) {
        uint8 status;
        uint32 roles;
        (id, status, roles) = _caller();
        if (status != uint8(OrganisationStatus.Active)) revert NotActive(id);
        if (roles & role != role) revert RoleMissing(id, role);
    }
}
