// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Governed} from "./Governed.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {IWorkflow} from "./interfaces/IWorkflow.sol";

/// @title See IWorkflow
contract Workflow is IWorkflow, Governed {
    struct Application {
        bytes32 applicant;
        bytes32 kind;
        bytes32 digest;
        Step step;
    }

    // Byte n (from the right) holds the set of steps that step n may move to, one bit a step.
    uint256 private constant TABLE = (uint256(0x4C) << 8) // submitted -> approved, rejected, withdrawn
        | (uint256(0x50) << 16) // approved -> inspected, withdrawn
        | (uint256(0x28) << 32); // inspected -> rejected, delivered

    mapping(bytes32 id => Application) private _applications;

    constructor(IRegistry registry) Governed(registry) {}

    /// @inheritdoc IWorkflow
    function submit(bytes32 id, bytes32 kind, bytes32 packageDigest) external whenThawed {
        bytes32 caller = _activeCaller(0);
        if (id == 0 || kind == 0 || packageDigest == 0) revert ZeroValue();
        if (_applications[id].step != Step.None) revert ApplicationExists(id);
        _applications[id] = Application(caller, kind, packageDigest, Step.Submitted);
        emit Submitted(id, caller, kind, packageDigest);
    }

    /// @inheritdoc IWorkflow
    function move(bytes32 id, Step toState, bytes32 digest) external whenThawed {
        Application storage a = _applications[id];
        Step from = a.step;
        bool withdrawal = toState == Step.Withdrawn;
        bytes32 caller = _activeCaller(withdrawal ? 0 : ROLE_CUSTODIAN);
        if (!allowed(from, toState)) revert IllegalMove(id, from, toState);
        if (withdrawal && caller != a.applicant) revert NotTheApplicant(id, a.applicant);
        a.step = toState;
        a.digest = digest;
        emit Moved(id, caller, from, toState, digest);
    }

    /// @inheritdoc IWorkflow
    function allowed(Step from, Step to) public pure returns (bool) {
        return (TABLE >> (8 * uint256(from) + uint256(to))) & 1 == 1;
    }

    /// @inheritdoc IWorkflow
    function applicationOf(bytes32 id) external view returns (bytes32 applicant, bytes32 kind, Step step, bytes32 digest) {
        Application storage a = _applications[id];
        return (a.applicant, a.kind, a.step, a.digest);
    }
}
